import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock } from "../../src/clock.ts"
import { kernelsOf, OpenedEngines } from "../../src/commands/opened-engines.ts"
import type { HashingSettings } from "../../src/config/options.ts"
import { fileCache } from "../../src/engines/cpu/calibration-cache.ts"
import type { CoreKind } from "../../src/host/core-kinds.ts"
import { allLogicalCpus } from "../../src/host/effective-cpus.ts"
import { host } from "../../src/host/host.ts"
import { version } from "../../src/version.ts"
import { collectLog } from "../support/collect-log.ts"

const withTwo = (engine: string): string[] => (engine === "avx2" ? [engine, "avx2:2"] : [engine])

test("the variants of the named engine are measured, and with auto those of every engine", () => {
  expect(kernelsOf("avx2", withTwo)).toEqual(["avx2", "avx2:2"])
  expect(kernelsOf("wasm", withTwo)).toEqual(["wasm"])
  const all = kernelsOf("auto", withTwo)
  expect(all.slice(0, 4)).toEqual(["avx512", "avx512-limbs", "avx2", "avx2:2"])
  expect(all.indexOf("scalar")).toBeGreaterThan(all.indexOf("avx2:2"))
  expect(all.indexOf("wasm")).toBeGreaterThan(all.indexOf("scalar"))
})

test("a variant is no public engine name", () => {
  expect(() => kernelsOf("avx2:2", withTwo)).toThrow("--engine avx2:2 is unknown")
})

describe("on one core with two threads, of which a measurement chose one", () => {
  // Real threads on a machine that may be busy with other things.
  setDefaultTimeout(60_000)

  const kernels = ["wasm", "wasm-narrow"]

  /** Opens workers for two CPUs, does something with them, and closes them. @returns the log's lines */
  async function withWorkers(
    settings: Partial<HashingSettings>,
    use: (opened: OpenedEngines) => Promise<void>,
    kinds?: readonly CoreKind[],
  ) {
    const stateDir = mkdtempSync(join(tmpdir(), "calibration-"))
    const { model: cpu = "", microcode = "" } = await host.cpuInfo()
    const machine = { version, cpu, microcode, features: [], native: true, quota: null }
    const measured = { kernels: [{ name: "wasm", hashesPerSecond: 1 }], workers: 1 }
    fileCache(join(stateDir, "calibration.json")).save({ ...machine, candidates: kernels, workers: [2, 1] }, measured)
    const log = collectLog()
    const options = {
      settings: { cpuAffinity: [0, 1], recalibrate: false, ...settings } as HashingSettings,
      stateDir,
      clock: systemClock,
      log,
    }
    const placement = { order: [0, 1], cores: 1 }
    if (kinds) {
      const [wasm, narrow] = kernels.map(name => ({ name, hashesPerSecond: 1 }))
      fileCache(join(stateDir, "calibration.json")).save(
        { ...machine, candidates: kernels, workers: [2, 1], kinds: kinds.map(({ name }) => name) },
        {
          kernels: [wasm!],
          workers: 2,
          kinds: [
            { name: "P cores", kernels: [wasm!] },
            { name: "E cores", kernels: [narrow!] },
          ],
        },
      )
    }
    const noGpus = { engines: [] } as unknown as ConstructorParameters<typeof OpenedEngines>[3]
    const opened = new OpenedEngines(options, allLogicalCpus(2), placement, noGpus, true, 2, kinds)
    try {
      await opened.openCpu(kernels, 2)
      await use(opened)
    } finally {
      await Promise.all(opened.engines.map(engine => engine.close()))
      rmSync(stateDir, { recursive: true })
    }
    return log.texts
  }

  const countOf = ({ engines }: OpenedEngines): number => engines[0]!.units.length

  test("workers on different kinds of core run the kernels that were measured there", async () => {
    const kinds = [
      { name: "P cores", cpus: [0] },
      { name: "E cores", cpus: [1] },
    ]
    const use = async (opened: OpenedEngines) => {
      expect(opened.kernel).toBe("wasm+wasm-narrow")
      expect(opened.engines[0]!.units.map(({ id }) => id)).toEqual(["wasm/0", "wasm-narrow/1"])
    }
    const lines = await withWorkers({}, use, kinds)
    expect(lines.filter(line => line.includes("cores ("))).toEqual([
      "info P cores (CPUs 0): using wasm",
      "info E cores (CPUs 1): using wasm-narrow",
    ])
    // Workers that are not bound may run anywhere.
    await withWorkers({ cpuAffinity: "none" }, async opened => expect(opened.kernel).toBe("wasm"), kinds)
  })

  test("one worker runs by default", async () => {
    await withWorkers({}, async opened => expect(countOf(opened)).toBe(1))
  })

  test("an explicit number runs whatever was measured before", async () => {
    await withWorkers({ cpuWorkers: 2 }, async opened => expect(countOf(opened)).toBe(2))
  })

  test("an explicit number stays after a measurement, which measures no other number", async () => {
    const lines = await withWorkers({ cpuWorkers: 2, recalibrate: true }, async opened => {
      await opened.calibrate()
      expect(countOf(opened)).toBe(2)
    })
    expect(lines.filter(line => line.includes("one for each core"))).toEqual([])
    expect(lines.filter(line => line.includes(" on 2 workers; using wasm"))).toHaveLength(1)
  })

  describe.each(["auto", "none"] as const)("with affinity %s", cpuAffinity => {
    const ignore = () => {}
    const events = { candidate: ignore, exhausted: ignore, switched: ignore, restarted: ignore, failed: ignore }

    test.each([
      ["before it came", true],
      ["while it came", false],
    ])("the replacement of a failed engine has the size of CPUs that changed %s", async (_when, settlesFirst) => {
      const lines = await withWorkers({ cpuWorkers: 2, cpuAffinity }, async opened => {
        const [failed] = opened.engines
        const closing = failed!.close()
        const following = opened.follow(allLogicalCpus(1))
        if (settlesFirst) await following
        await closing
        const replacement = await opened.replaceEngine(failed!)
        await Promise.all([following, replacement!.start(events)])
        expect([opened.kernel, countOf(opened)]).toEqual(["wasm-narrow", 1])
        await opened.follow(allLogicalCpus(2))
        expect(countOf(opened)).toBe(2)
      })
      expect(lines.filter(line => line.startsWith("error"))).toEqual([])
    })
  })

  test("an explicit number is only clamped to the effective CPUs, with a warning, and returns with them", async () => {
    const lines = await withWorkers({ cpuWorkers: 2, cpuAffinity: "none" }, async opened => {
      await opened.follow(allLogicalCpus(1))
      expect(countOf(opened)).toBe(1)
      await opened.follow(allLogicalCpus(4))
      expect(countOf(opened)).toBe(2)
    })
    const warnings = lines.filter(line => line.startsWith("warn"))
    expect(warnings).toEqual(["warn 2 CPU workers are more than the effective CPUs, 1: running 1"])
  })
})
