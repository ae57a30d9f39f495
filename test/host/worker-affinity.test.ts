import { expect, test } from "bun:test"
import { affinityFor } from "../../src/host/worker-affinity.ts"
import { collectLog } from "../support/collect-log.ts"

const effective = [2, 0, 3]

test.each([
  ["auto", [2, 0, 3]],
  ["none", undefined],
  [
    [3, 0],
    [3, 0],
  ],
] as const)("%p is applied without a warning", (requested, cpus) => {
  const log = collectLog()
  expect(affinityFor({ requested, effective, log })).toEqual(cpus && [...cpus])
  expect(log.lines).toEqual([])
})

test("CPUs that are not effective are dropped with a warning", () => {
  const log = collectLog()
  const warning = () => log.lines.pop()!.message
  expect(affinityFor({ requested: [5, 3, 4], effective, log })).toEqual([3])
  expect(warning()).toBe("--cpu-affinity 3-5 names CPUs that are not effective: 4-5; the workers run on 3")
  expect(affinityFor({ requested: [5], effective, log })).toBeUndefined()
  expect(warning()).toBe("--cpu-affinity 5 names CPUs that are not effective: 5; the scheduler places the workers")
})
