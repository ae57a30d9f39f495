import { afterAll, describe, expect, test } from "bun:test"
import { cpus as systemCpus } from "node:os"
import { coreKinds, effectiveCpus, placement, setThreadAffinity } from "../../../src/host/windows/affinity.ts"
import { quotaOf } from "../../../src/host/windows/job.ts"
import { openLibrary } from "../../../src/host/windows/libraries.ts"
import {
  type Core,
  type GroupMask,
  type ProcessAffinity,
  type Processors,
  parseCores,
  systemProcessors,
  THIS_PROCESS,
} from "../../../src/host/windows/processors.ts"

interface Fake {
  readonly sizes: readonly number[]
  readonly affinity?: ProcessAffinity
  readonly cores?: readonly Core[]
}

/** A machine with the given groups; records each affinity that is set. */
function machine({ sizes, affinity, cores = [] }: Fake) {
  const set: (GroupMask & { readonly threadId: number | undefined })[] = []
  const processors: Processors = {
    groupSizes: () => sizes,
    processAffinity: () => affinity,
    cores: () => cores,
    currentThreadId: () => 1,
    setThreadAffinity(mask, threadId) {
      set.push({ ...mask, threadId })
      return true
    },
  }
  return { processors, set }
}

const ALL_64 = 2n ** 64n - 1n
const noQuota = () => undefined

describe("setting a thread's affinity", () => {
  test("numbers CPUs through groups of any size", () => {
    const { processors, set } = machine({ sizes: [36, 36] })
    expect(setThreadAffinity([0, 35], undefined, processors)).toBe(true)
    expect(setThreadAffinity([36], 7, processors)).toBe(true)
    expect(setThreadAffinity([71], 7, processors)).toBe(true)
    expect(set).toEqual([
      { group: 0, mask: 1n | (1n << 35n), threadId: undefined },
      { group: 1, mask: 1n, threadId: 7 },
      { group: 1, mask: 1n << 35n, threadId: 7 },
    ])
  })

  test("takes the group that has most of the CPUs, because a thread is in one", () => {
    const { processors, set } = machine({ sizes: [64, 64] })
    setThreadAffinity([63, 64, 127], undefined, processors)
    expect(set).toEqual([{ group: 1, mask: 1n | (1n << 63n), threadId: undefined }])
  })

  test("rejects CPUs that do not exist, and fails without CPUs or functions", () => {
    const { processors } = machine({ sizes: [4] })
    for (const cpu of [-1, 4, 0.5]) expect(() => setThreadAffinity([cpu], undefined, processors)).toThrow(RangeError)
    expect(setThreadAffinity([], undefined, processors)).toBe(false)
    if (process.platform !== "win32") expect(setThreadAffinity([0])).toBe(false)
  })
})

describe("the effective CPUs", () => {
  test("are all CPUs of all groups of an unrestricted process", () => {
    const affinity = { groups: [0, 1], mask: 0n, systemMask: 0n }
    const { count, cpus, decidedBy, needsAffinity } = effectiveCpus(
      machine({ sizes: [64, 32], affinity }).processors,
      noQuota,
    )
    expect({ count, decidedBy, needsAffinity, last: cpus.at(-1) }).toEqual({
      count: 96,
      decidedBy: "logical CPUs",
      needsAffinity: false,
      last: 95,
    })
  })

  test("need binding if the system keeps the process in one group", () => {
    const affinity = { groups: [1], mask: ALL_64, systemMask: ALL_64 }
    const { count, needsAffinity } = effectiveCpus(machine({ sizes: [64, 64], affinity }).processors, noQuota)
    expect({ count, needsAffinity }).toEqual({ count: 128, needsAffinity: true })
  })

  test("are those of the process's affinity, in its group", () => {
    const affinity = { groups: [1], mask: 0b1010n, systemMask: ALL_64 }
    const { count, cpus, decidedBy } = effectiveCpus(machine({ sizes: [64, 64], affinity }).processors, noQuota)
    expect({ count, cpus, decidedBy }).toEqual({ count: 2, cpus: [65, 67], decidedBy: "affinity" })
  })

  test("are bounded by the job's limit of CPU time", () => {
    const affinity = { groups: [0], mask: 0xffn, systemMask: 0xffn }
    const { processors } = machine({ sizes: [8], affinity })
    expect(effectiveCpus(processors, () => 2.5)).toMatchObject({ count: 2, decidedBy: "quota", quota: 2.5 })
    expect(effectiveCpus(processors, () => 0.5)).toMatchObject({ count: 1, decidedBy: "quota" })
    expect(effectiveCpus(processors, () => 8)).toMatchObject({ count: 8, decidedBy: "logical CPUs" })
  })

  test("are the runtime's if the system does not report them", () => {
    expect(effectiveCpus(machine({ sizes: [4] }).processors, noQuota).count).toBe(Math.max(1, systemCpus().length))
  })
})

test("a job's limit of CPU time is a share of all CPUs", () => {
  const [enable, weight, cap, range] = [1, 2, 4, 16]
  expect(quotaOf(enable | cap, 2500, 16)).toBe(4)
  expect(quotaOf(enable | range, (5000 << 16) | 1000, 16)).toBe(8)
  expect(quotaOf(enable | weight, 5, 16)).toBeUndefined()
  expect(quotaOf(enable | cap, 10_000, 16)).toBeUndefined()
  expect(quotaOf(cap, 2500, 16)).toBeUndefined()
})

test("workers take whole cores first, the faster ones before", () => {
  const cores = [
    { group: 0, mask: 0b0011n, efficiencyClass: 0 },
    { group: 0, mask: 0b1100n, efficiencyClass: 1 },
    { group: 1, mask: 0b1n, efficiencyClass: 1 },
  ]
  const { processors } = machine({ sizes: [4, 1], cores })
  expect(placement([0, 1, 2, 3, 4], processors)).toEqual({ order: [2, 4, 0, 3, 1], cores: 3 })
  expect(placement([0, 1], machine({ sizes: [2] }).processors)).toEqual({ order: [0, 1], cores: 2 })
})

test("the kinds of core are the efficiency classes, fastest first", () => {
  const cores = [
    { group: 0, mask: 0b0011n, efficiencyClass: 0 },
    { group: 0, mask: 0b1100n, efficiencyClass: 1 },
    { group: 1, mask: 0b1n, efficiencyClass: 0 },
  ]
  expect(coreKinds(machine({ sizes: [4, 1], cores }).processors)).toEqual([
    { name: "cores of efficiency class 1", cpus: [2, 3] },
    { name: "cores of efficiency class 0", cpus: [0, 1, 4] },
  ])
  expect(coreKinds(machine({ sizes: [4] }).processors)).toEqual([])
})

test("records of cores are read by their sizes", () => {
  const record = (size: number, efficiencyClass: number, mask: bigint, group: number) => {
    const bytes = Buffer.alloc(size)
    bytes.writeUInt32LE(size, 4)
    bytes.writeUInt8(efficiencyClass, 9)
    bytes.writeUInt16LE(1, 30)
    bytes.writeBigUInt64LE(mask, 32)
    bytes.writeUInt16LE(group, 40)
    return bytes
  }
  const records = Buffer.concat([record(48, 0, 0b11n, 0), record(64, 1, 1n << 63n, 1)])
  expect(parseCores(records)).toEqual([
    { efficiencyClass: 0, mask: 0b11n, group: 0 },
    { efficiencyClass: 1, mask: 1n << 63n, group: 1 },
  ])
  expect(parseCores(records.subarray(0, 40))).toEqual([])
  expect(parseCores(new Uint8Array(48))).toEqual([])
})

describe.skipIf(process.platform !== "win32")("on Windows", () => {
  const processors = systemProcessors()!
  const sizes = processors?.groupSizes() ?? []
  const all = Array.from({ length: sizes.reduce((sum, size) => sum + size, 0) }, (_, cpu) => cpu)
  afterAll(() => void setThreadAffinity(all))

  test("the effective CPUs and the cores are those of the machine", () => {
    const { cpus, logicalCpus } = effectiveCpus()
    expect(logicalCpus).toBe(all.length)
    const { order, cores } = placement(cpus)
    expect(order.toSorted((a, b) => a - b)).toEqual([...cpus])
    expect(cores).toBeGreaterThan(0)
  })

  test("the effective CPUs follow the process's affinity", () => {
    const { symbols } = openLibrary("kernel32.dll", {
      SetProcessAffinityMask: { args: ["i64", "u64"], returns: "i32" },
    })
    const { mask, systemMask } = processors.processAffinity()!
    const [cpu] = effectiveCpus().cpus
    try {
      expect(symbols.SetProcessAffinityMask(THIS_PROCESS, 1n << BigInt(cpu!))).not.toBe(0)
      const isOnly = systemMask === 1n << BigInt(cpu!)
      const decidedBy = isOnly ? "logical CPUs" : "affinity"
      expect(effectiveCpus()).toMatchObject({ count: 1, cpus: [cpu], decidedBy })
    } finally {
      symbols.SetProcessAffinityMask(THIS_PROCESS, mask)
    }
  })

  test("a thread runs on the CPU that it is bound to, also when it is addressed by its id", () => {
    const { symbols } = openLibrary("kernel32.dll", { GetCurrentProcessorNumber: { args: [], returns: "u32" } })
    const inFirstGroup = effectiveCpus().cpus.filter(cpu => cpu < sizes[0]!)
    for (const id of [undefined, processors.currentThreadId()]) {
      for (const cpu of inFirstGroup) {
        expect(setThreadAffinity([cpu], id)).toBe(true)
        expect(symbols.GetCurrentProcessorNumber()).toBe(cpu)
      }
    }
  })
})
