import { expect, test } from "bun:test"
import { availableParallelism, cpus } from "node:os"
import { logicalCpuCount, portable } from "../../src/host/portable.ts"

test("an unknown system has all of its logical CPUs, in their order, and at least one", async () => {
  const { count, cpus: usable, decidedBy } = await portable.effectiveCpus()
  expect(count).toBe(cpus().length)
  expect(decidedBy).toBe("logical CPUs")
  expect(await portable.placement(usable)).toEqual({ order: usable, cores: usable.length })
})

test("a system whose list of CPUs is empty has as many as the runtime uses", () => {
  expect(logicalCpuCount(0)).toBe(availableParallelism())
})

test("an unknown system opens no library by name", () => {
  expect(() => portable.openLibrary("libcuda.so.1", {})).toThrow("libcuda.so.1 could not be found")
})

test("an unknown system keeps state in the XDG directories; without a home directory it keeps none", () => {
  expect(portable.stateDirectory({ XDG_STATE_HOME: "/s", HOME: "/h" })).toBe("/s/quantus-miner")
  expect(portable.stateDirectory({ HOME: "/h" })).toBe("/h/.local/state/quantus-miner")
  expect(portable.stateDirectory({})).toBeUndefined()
  expect(portable.nodeDirectory({ XDG_DATA_HOME: "/d", HOME: "/h" })).toBe("/d/quantus-node")
  expect(portable.nodeDirectory({ HOME: "/h" })).toBe("/h/.local/share/quantus-node")
})

test("an unknown system offers no lock, no affinity and no service manager, and nothing throws", () => {
  expect(portable.lock("a", {})).toEqual({ kind: "unlockable" })
  expect(portable.setThreadAffinity([0])).toBe(false)
  expect(portable.threadActivity(1)).toBeUndefined()
  expect(portable.notifier({ NOTIFY_SOCKET: "/run/notify" }, undefined as never).enabled).toBe(false)
})
