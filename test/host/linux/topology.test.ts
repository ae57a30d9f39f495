import { afterAll, expect, test } from "bun:test"
import { readPlacement } from "../../../src/host/linux/topology.ts"
import { scratch, writeTree } from "../support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const cpu = (n: number) => `sys/devices/system/cpu/cpu${n}`

/** A root directory whose CPUs have these siblings and capacities. */
function machine(siblings: string[], { capacities = [] as number[], name = "core_cpus_list" } = {}) {
  return tmp.root({
    ...Object.fromEntries(siblings.map((list, n) => [`${cpu(n)}/topology/${name}`, `${list}\n`])),
    "sys/devices/system/cpu/present": `0-${siblings.length - 1}\n`,
    ...Object.fromEntries(capacities.map((capacity, n) => [`${cpu(n)}/cpu_capacity`, `${capacity}\n`])),
  })
}

test("siblings with adjacent numbers", async () => {
  const root = machine(["0-1", "0-1", "2-3", "2-3"])
  expect(await readPlacement([0, 1, 2, 3], root)).toEqual({ order: [0, 2, 1, 3], cores: 2 })
})

test("siblings numbered after all cores, in the older file", async () => {
  const root = machine(["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"], { name: "thread_siblings_list" })
  expect(await readPlacement([0, 1, 2, 3, 4, 5, 6, 7], root)).toEqual({ order: [0, 1, 2, 3, 4, 5, 6, 7], cores: 4 })
})

test("only the given CPUs: a core's only usable thread counts as the core", async () => {
  const root = machine(["0-1", "0-1", "2-3", "2-3"])
  expect(await readPlacement([1, 2, 3], root)).toEqual({ order: [1, 2, 3], cores: 2 })
})

test("one thread per core", async () => {
  expect(await readPlacement([0, 1, 2], machine(["0", "1", "2"]))).toEqual({ order: [0, 1, 2], cores: 3 })
})

test("fast cores before slow cores, slow cores before second threads", async () => {
  const root = machine(["0", "1", "2-3", "2-3"], { capacities: [600, 600, 1024, 1024] })
  expect(await readPlacement([0, 1, 2, 3], root)).toEqual({ order: [2, 0, 1, 3], cores: 3 })
})

test("P cores before E cores, E cores before second threads", async () => {
  const root = machine(["0", "1", "2-3", "2-3"])
  writeTree(root, { "sys/devices/cpu_core/cpus": "2-3\n", "sys/devices/cpu_atom/cpus": "0-1\n" })
  expect(await readPlacement([0, 1, 2, 3], root)).toEqual({ order: [2, 0, 1, 3], cores: 3 })
})

test("four threads per core", async () => {
  const root = machine(["0-3", "0-3", "0-3", "0-3", "4-7", "4-7", "4-7", "4-7"])
  const placement = await readPlacement([0, 1, 2, 3, 4, 5, 6, 7], root)
  expect(placement).toEqual({ order: [0, 4, 1, 5, 2, 6, 3, 7], cores: 2 })
})

test("unknown or malformed topology", async () => {
  expect(await readPlacement([0, 2, 5], tmp.root({}))).toEqual({ order: [0, 2, 5], cores: 3 })
  expect(await readPlacement([0, 1], machine(["?", ""], { capacities: [Number.NaN] }))).toEqual({
    order: [0, 1],
    cores: 2,
  })
})
