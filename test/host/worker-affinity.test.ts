import { expect, test } from "bun:test"
import { affinityFor, type WorkerAffinityOptions } from "../../src/host/worker-affinity.ts"
import { collectLog } from "../support/collect-log.ts"

const order = [2, 0, 3]
const cpus: WorkerAffinityOptions["cpus"] = { cpus: [0, 2, 3], decidedBy: "cpuset", logicalCpus: 8 }

function choose(options: Partial<WorkerAffinityOptions>) {
  const log = collectLog()
  const affinity = affinityFor({ requested: "auto", order, cpus, bindsThreads: true, workers: 1, ...options, log })
  return { affinity, lines: log.lines.map(({ level, message }) => `${level}: ${message}`) }
}

test.each([
  [
    "a cpuset smaller than the machine",
    {},
    order,
    "info: workers are bound to CPUs 0,2-3: a cpuset or affinity leaves 3 of 8 CPUs to this process",
  ],
  [
    "a worker for each CPU",
    { cpus: { cpus: [0, 2, 3], decidedBy: "logical CPUs", logicalCpus: 3 }, workers: 3 },
    order,
    "info: workers are bound to CPUs 0,2-3: there is a worker for each CPU",
  ],
  [
    "half of a whole machine, where a second miner may run",
    { cpus: { cpus: [0, 2, 3], decidedBy: "logical CPUs", logicalCpus: 3 } },
    undefined,
    "info: workers are not bound to CPUs: 1 of 3 CPUs mine, and other programs may use any of them",
  ],
  [
    "a system that keeps unmoved threads in one processor group",
    { cpus: { cpus: [0, 2, 3], decidedBy: "logical CPUs", logicalCpus: 3, needsAffinity: true } },
    order,
    "info: workers are bound to CPUs 0,2-3: threads stay in one processor group unless they are moved",
  ],
  [
    "a quota, in a container with all of the machine's CPUs",
    { cpus: { cpus: [0, 2, 3], decidedBy: "quota", logicalCpus: 3 }, workers: 3 },
    undefined,
    "info: workers are not bound to CPUs: a quota limits CPU time, not CPUs",
  ],
  [
    "a quota within a cpuset",
    { cpus: { cpus: [0, 2, 3], decidedBy: "quota", logicalCpus: 8 } },
    undefined,
    "info: workers are not bound to CPUs: a quota limits CPU time, not CPUs",
  ],
] as const)("auto: %s", (_, options, affinity, line) => {
  expect(choose(options as Partial<WorkerAffinityOptions>)).toEqual({
    affinity: affinity && [...affinity],
    lines: [line],
  })
})

test("a list is applied as given, and none leaves the workers to the scheduler", () => {
  expect(choose({ requested: [3, 0] })).toEqual({ affinity: [3, 0], lines: [] })
  expect(choose({ requested: "none" })).toEqual({ affinity: undefined, lines: [] })
})

test("CPUs that are not effective are dropped with a warning", () => {
  const what = "names CPUs that are not effective"
  expect(choose({ requested: [5, 3, 4] })).toEqual({
    affinity: [3],
    lines: [`warn: --cpu-affinity 3-5 ${what}: 4-5; the workers run on 3`],
  })
  expect(choose({ requested: [5] })).toEqual({
    affinity: undefined,
    lines: [`warn: --cpu-affinity 5 ${what}: 5; the scheduler places the workers`],
  })
})

test("a system that does not bind threads says so only if it was asked to", () => {
  expect(choose({ bindsThreads: false })).toEqual({ affinity: undefined, lines: [] })
  expect(choose({ bindsThreads: false, requested: [0] })).toEqual({
    affinity: undefined,
    lines: ["warn: --cpu-affinity is ignored: this system does not bind threads to CPUs"],
  })
})
