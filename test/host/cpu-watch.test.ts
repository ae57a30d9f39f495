import { afterAll, describe, expect, test } from "bun:test"
import { watchEffectiveCpus } from "../../src/host/cpu-watch.ts"
import type { EffectiveCpus } from "../../src/host/effective-cpus.ts"
import { readEffectiveCpus } from "../../src/host/linux/effective-cpus.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"
import { scratch, writeTree } from "./support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const file = "sys/fs/cgroup/cpuset.cpus.effective"

/** A watch of 8 CPUs whose cpuset the test rewrites. */
async function watching(mask: string) {
  const root = tmp.root({ [file]: mask })
  const log = collectLog()
  const changes: [now: number, before: number][] = []
  const clock = new FakeClock()
  const read = () => readEffectiveCpus({ root, logicalCpus: 8, affinity: () => undefined })
  const watch = watchEffectiveCpus({
    initial: await read(),
    read,
    clock,
    log,
    changed: (now: EffectiveCpus, before: EffectiveCpus) => changes.push([now.count, before.count]),
  })
  return {
    watch,
    log,
    changes,
    clock,
    set: (text: string) => writeTree(root, { [file]: text }),
  }
}

describe("watchEffectiveCpus", () => {
  test("checks every 15 s and reports a change once", async () => {
    const { watch, log, changes, clock, set } = await watching("0-3\n")
    set("0\n")
    await clock.advance(14_999)
    expect(changes).toEqual([])
    await clock.advance(1)
    await watch.check()
    expect(changes).toEqual([[1, 4]])
    expect(watch.current.count).toBe(1)
    expect(log.texts).toEqual(["info the effective CPUs changed from 4: 1 effective CPU of 8, decided by the cpuset 0"])
    watch.stop()
  })

  test("reports other CPUs of the same number", async () => {
    const { watch, changes, set } = await watching("0-3\n")
    set("4-7\n")
    await watch.check()
    expect(changes).toEqual([[4, 4]])
    expect(watch.current.cpus).toEqual([4, 5, 6, 7])
    watch.stop()
  })

  test("reports nothing while nothing changes", async () => {
    const { watch, log, changes } = await watching("0-3\n")
    await watch.check()
    await watch.check()
    expect(changes).toEqual([])
    expect(log.texts).toEqual([])
    watch.stop()
  })

  test("warns once about a file that becomes malformed", async () => {
    const { watch, log, changes, set } = await watching("0-3\n")
    set("0-\n")
    await watch.check()
    await watch.check()
    expect(changes).toEqual([[8, 4]])
    expect(log.texts.filter(line => line.startsWith("warn"))).toHaveLength(1)
    watch.stop()
  })

  test("runs checks one at a time, and none after stop", async () => {
    const { watch, changes, clock, set } = await watching("0-3\n")
    set("0-1\n")
    await Promise.all([watch.check(), watch.check()])
    expect(changes).toEqual([[2, 4]])
    set("0\n")
    const late = watch.check()
    watch.stop()
    await late
    expect(changes).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })
})
