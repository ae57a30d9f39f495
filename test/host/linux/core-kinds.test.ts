import { afterAll, expect, test } from "bun:test"
import { readCoreKinds } from "../../../src/host/linux/core-kinds.ts"
import { scratch } from "../support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const capacities = (...values: string[]) =>
  tmp.root({
    "sys/devices/system/cpu/present": `0-${values.length - 1}\n`,
    ...Object.fromEntries(values.map((value, cpu) => [`sys/devices/system/cpu/cpu${cpu}/cpu_capacity`, `${value}\n`])),
  })

test("those of an Intel hybrid CPU have the names of its performance counters, and capacities do not count", async () => {
  const root = tmp.root({
    "sys/devices/cpu_core/cpus": "0-3\n",
    "sys/devices/cpu_atom/cpus": "4-7\n",
    "sys/devices/cpu_lowpower/cpus": "8-9\n",
    "sys/devices/system/cpu/present": "0-9\n",
    "sys/devices/system/cpu/cpu0/cpu_capacity": "1024\n",
  })
  expect(await readCoreKinds(root)).toEqual([
    { name: "P cores", cpus: [0, 1, 2, 3] },
    { name: "E cores", cpus: [4, 5, 6, 7] },
    { name: "LP E cores", cpus: [8, 9] },
  ])
})

test("those of arm64 are the capacities, the highest first", async () => {
  expect(await readCoreKinds(capacities("446", "446", "1024", "871"))).toEqual([
    { name: "cores of capacity 1024", cpus: [2] },
    { name: "cores of capacity 871", cpus: [3] },
    { name: "cores of capacity 446", cpus: [0, 1] },
  ])
})

test("are absent if the system reports nothing, or nothing readable", async () => {
  expect(await readCoreKinds(tmp.root({ "sys/devices/system/cpu/present": "0-3\n" }))).toEqual([])
  expect(await readCoreKinds(tmp.root({}))).toEqual([])
  expect(await readCoreKinds(capacities("?", ""))).toEqual([])
})
