import { describe, expect, test } from "bun:test"
import type { Calibration, CalibrationCache } from "../../../src/engines/cpu/calibration-cache.ts"
import { type ChooseOptions, chooseEngine } from "../../../src/engines/cpu/choose.ts"
import type { CpuEngine } from "../../../src/engines/cpu/cpu-engine.ts"
import { RefusedKernel } from "../../../src/engines/engine.ts"
import { ExitCode, OperatorError } from "../../../src/errors.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"

/** What an engine of a kernel does: hashes a second for each number of workers, or why it is refused. */
type Behaviour = ((workers: number, assignment: number) => number) | Error

const machine = { cpu: "A CPU", microcode: "0x1", features: [], version: "1.2.3", native: true, quota: null }

function setUp(behaviours: Record<string, Behaviour>, more: Partial<ChooseOptions> = {}) {
  const clock = new FakeClock()
  const log = collectLog()
  const made: string[] = []
  const loads: string[] = []
  const rehearsals: boolean[] = []
  const createEngine = (name: string, workers: number) => {
    made.push(`${name} ${workers}`)
    let [kernel, adopted] = [name, name]
    let size = workers
    let [hashes, busyMs, since] = [0, 0, clock.now()]
    const counts = new Map<string, number>()
    const refuse = (name: string) => {
      const behaviour = behaviours[name]
      if (behaviour instanceof Error) throw behaviour
    }
    const engine: Partial<CpuEngine> = {
      get name() {
        return adopted
      },
      get kernel() {
        return kernel
      },
      kernelOn: () => kernel,
      isClosed: false,
      get units() {
        return Array.from({ length: size }) as unknown as CpuEngine["units"]
      },
      readings() {
        const behaviour = behaviours[kernel] as (workers: number, slice: number) => number
        // Two readings are a slice.
        const slice = Math.ceil(((counts.get(kernel) ?? 0) + 1) / 2)
        counts.set(kernel, (counts.get(kernel) ?? 0) + 1)
        const elapsed = clock.now() - since
        since = clock.now()
        hashes += Math.round((behaviour(size, slice) * elapsed) / 1000)
        busyMs += elapsed
        return [{ worker: 0, hashes, busyMs }]
      },
      rehearse(work) {
        rehearsals.push(work !== null)
      },
      async prepare() {
        refuse(name)
      },
      async load(next) {
        loads.push(next)
        refuse(next)
        kernel = next
      },
      adopt() {
        adopted = kernel
      },
      async resize(count) {
        size = count
      },
    }
    return engine as CpuEngine
  }
  const options: ChooseOptions = {
    kernels: Object.keys(behaviours),
    workers: 4,
    createEngine,
    machine,
    clock,
    log,
    ...more,
  }
  const choose = async () => {
    const { engine, others, calibrate } = await chooseEngine(options)
    const calibrated = calibrate?.()
    calibrated?.catch(() => {})
    await clock.advance(8000)
    return { name: engine.name, others: (await calibrated) ?? others }
  }
  return { choose, log, made, loads, rehearsals, options, clock }
}

function memoryCache(initial?: Calibration) {
  const saved: Calibration[] = []
  const cache: CalibrationCache = {
    load: () => (initial ? { kind: "valid", value: initial } : { kind: "absent" }),
    save: (_key, calibration) => void saved.push(calibration),
  }
  return { cache, saved }
}

const slow = () => 300_000
const fast = () => 1_500_000
const lacking = new RefusedKernel("this CPU has no AVX-512", true)
const miscalculating = new RefusedKernel("a wrong hash", false)

describe("a pause", () => {
  test("stops the workers and spoils no measurement, which continues when mining resumes", async () => {
    const { cache, saved } = memoryCache()
    let isPaused = false
    // A paused worker hashes nothing.
    const speed = (rate: number) => () => (isPaused ? 0 : rate)
    const { options, clock, loads, rehearsals, log } = setUp(
      { wasm: speed(300_000), avx2: speed(1_500_000), avx512: speed(2_000_000) },
      { cache },
    )
    const { calibrate } = await chooseEngine(options)
    const calibrated = calibrate!(() => isPaused)
    await clock.advance(300)
    isPaused = true
    await clock.advance(50)
    const before = loads.length
    expect(rehearsals.at(-1)).toBe(false)
    await clock.advance(60_000)
    expect(rehearsals.at(-1)).toBe(false)
    expect(loads).toHaveLength(before)
    expect(saved).toEqual([])
    isPaused = false
    await clock.advance(8000)
    expect(await calibrated).toEqual(["avx2", "wasm"])
    expect(saved[0]!.kernels.map(({ name, hashesPerSecond }) => [name, Math.round(hashesPerSecond / 1e5)])).toEqual([
      ["avx512", 20],
      ["avx2", 15],
      ["wasm", 3],
    ])
    expect(log.texts.join("\n")).not.toContain("too busy")
  })
})

describe("the fastest kernel", () => {
  test("is loaded into the workers that run, and the ranking is logged and saved", async () => {
    const { cache, saved } = memoryCache()
    const { choose, log, made, loads } = setUp({ avx512: lacking, wasm: slow, avx2: fast }, { cache })
    expect(await choose()).toEqual({ name: "avx2", others: ["wasm"] })
    expect(made).toEqual(["avx512 4", "wasm 4"])
    expect(loads).toEqual(["avx2"])
    expect(log.texts).toEqual([
      "info avx512 is not used: this CPU has no AVX-512",
      "info A CPU: avx2 1.50 MH/s, wasm 0.30 MH/s on 4 workers; using avx2",
    ])
    const rates = { avx2: 1_500_000, wasm: 300_000 }
    const kernels = Object.entries(rates).map(([name, hashesPerSecond]) => ({ name, hashesPerSecond }))
    expect(saved).toEqual([{ kernels, workers: 4 }])
  })

  test("is taken from the cache of an earlier start", async () => {
    const { cache, saved } = memoryCache({ kernels: [{ name: "avx2", hashesPerSecond: 1 }], workers: 2 })
    const { choose, made } = setUp({ wasm: slow, avx2: fast }, { cache })
    expect(await choose()).toEqual({ name: "avx2", others: ["wasm"] })
    expect(made).toEqual(["avx2 2"])
    expect(saved).toEqual([])
  })

  test("is measured again on demand", async () => {
    const { cache, saved } = memoryCache({ kernels: [{ name: "wasm", hashesPerSecond: 1 }], workers: 4 })
    const { choose } = setUp({ wasm: slow, avx2: fast }, { cache, recalibrate: true })
    expect((await choose()).name).toBe("avx2")
    expect(saved).toHaveLength(1)
  })

  test("that fails its self-test now is replaced by the next", async () => {
    const ranking = ["avx512", "avx2", "wasm"].map(name => ({ name, hashesPerSecond: 1 }))
    const { cache } = memoryCache({ kernels: ranking, workers: 4 })
    const { choose, log } = setUp({ avx512: miscalculating, avx2: lacking, wasm: slow }, { cache })
    expect(await choose()).toEqual({ name: "wasm", others: [] })
    expect(log.lines.map(({ level }) => level)).toEqual(["info", "warn", "info"])
  })

  test("is used if the calibration cannot be saved", async () => {
    const cache: CalibrationCache = {
      load: () => ({ kind: "absent" }),
      save: () => {
        throw new Error("full")
      },
    }
    const { choose, log } = setUp({ wasm: slow, avx2: fast }, { cache })
    expect((await choose()).name).toBe("avx2")
    expect(log.texts).toContain("info measurements are not kept for the next start: full")
  })
})

test("a stored calibration that is refused is named in one line, and the kernels are measured again", async () => {
  const { saved } = memoryCache()
  const cache: CalibrationCache = {
    load: () => ({ kind: "refused", why: "was made with a different value of version" }),
    save: (_key, calibration) => void saved.push(calibration),
  }
  const { choose, log } = setUp({ wasm: slow, avx2: fast }, { cache })
  expect((await choose()).name).toBe("avx2")
  expect(log.texts[0]).toBe(
    "info the stored calibration was made with a different value of version: kernels are measured again",
  )
  expect(saved).toHaveLength(1)
})

test("a kernel that is refused while others mine is left out of the ranking", async () => {
  const { cache, saved } = memoryCache()
  const { choose, log, loads } = setUp({ avx2: fast, avx512: lacking, wasm: slow }, { cache })
  expect(await choose()).toEqual({ name: "avx2", others: ["wasm", "avx512"] })
  expect(loads).toEqual(["avx512", "wasm", "avx2"])
  expect(log.texts[0]).toBe("info avx512 is not used: this CPU has no AVX-512")
  expect(saved[0]!.kernels.map(({ name }) => name)).toEqual(["avx2", "wasm"])
})

describe("no calibration is saved without a kernel", () => {
  const failures = [
    ["that failed its self-test", miscalculating],
    ["whose workers could not be started", new Error("Failed to spawn worker thread")],
  ] as const
  test.each(failures)("%s", async (_, failure) => {
    const atFirst = { avx2: failure, wasm: slow, "wasm-narrow": slow }
    const later = { wasm: slow, avx2: failure }
    for (const behaviours of [atFirst, later] as Record<string, Behaviour>[]) {
      const { cache, saved } = memoryCache()
      const { choose, log } = setUp(behaviours, { cache })
      expect((await choose()).name).toBe("wasm")
      expect(saved).toEqual([])
      expect(log.texts.at(-1)).toBe("warn not all kernels could be measured: the next start measures again")
    }
  })
})

test("a kernel whose workers fail to start is not reported as wrong", async () => {
  const { choose, log } = setUp({ avx2: new Error("Failed to spawn worker thread"), wasm: slow })
  expect((await choose()).name).toBe("wasm")
  expect(log.texts[0]).toBe("warn avx2 could not be started and is not used: Failed to spawn worker thread")
})

describe("on a busy machine", () => {
  /** Hashes in its `nth` slice only. */
  const onlyIn = (nth: number) => (_: number, assignment: number) => (assignment === nth ? 1_500_000 : 0)

  test("a kernel's best slice counts", async () => {
    const { cache, saved } = memoryCache()
    const { choose } = setUp({ wasm: slow, avx2: onlyIn(3) }, { cache })
    expect((await choose()).name).toBe("avx2")
    expect(saved).toHaveLength(1)
  })

  test("kernels of similar speed are measured again", async () => {
    // Both are slowed down in their first three slices, the better one more.
    const better = (_: number, assignment: number) => (assignment <= 3 ? 1_400_000 : 1_900_000)
    const other = (_: number, assignment: number) => (assignment <= 3 ? 1_450_000 : 1_800_000)
    expect((await setUp({ wasm: slow, other, better }).choose()).name).toBe("better")
  })

  test("of equal kernels the first in the list is chosen", async () => {
    const alike = (rate: number) => setUp({ listed: () => 1_500_000, other: () => rate, wasm: slow }).choose()
    expect(await alike(1_520_000)).toEqual({ name: "listed", others: ["other", "wasm"] })
    expect((await alike(1_560_000)).name).toBe("other")
  })

  test("a kernel that got no CPU time is measured again", async () => {
    const { cache, saved } = memoryCache()
    const { choose } = setUp({ wasm: slow, avx2: onlyIn(5) }, { cache })
    expect((await choose()).name).toBe("avx2")
    expect(saved).toHaveLength(1)
  })

  test.each([
    ["a kernel", { wasm: slow, avx2: onlyIn(7) }, {}],
    ["every kernel", { wasm: onlyIn(7), avx2: onlyIn(7) }, {}],
    ["a number of workers", { wasm: slow, avx2: (n: number) => (n === 2 ? 0 : 1_500_000) }, { fewerWorkers: 2 }],
  ])("no calibration is saved if %s could not be measured", async (_, behaviours, more) => {
    const { cache, saved } = memoryCache()
    const { choose, log } = setUp(behaviours, { cache, ...more })
    await choose()
    expect(saved).toEqual([])
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1)
  })
})

test("a fallback is measured only if its faster kernel cannot run", async () => {
  const rest = { "wasm-narrow": slow, avx2: fast }
  const usual = setUp({ wasm: slow, ...rest })
  expect(await usual.choose()).toEqual({ name: "avx2", others: ["wasm", "wasm-narrow"] })
  expect([usual.made, usual.loads]).toEqual([["wasm 4"], ["avx2"]])
  const without = setUp({ wasm: lacking, ...rest })
  expect(await without.choose()).toEqual({ name: "avx2", others: ["wasm-narrow"] })
})

test("integer kernels are measured only if AVX2 cannot run", async () => {
  const integer = { scalar: slow, "scalar:bmi2": fast }
  const usual = setUp({ avx2: slow, ...integer })
  expect(await usual.choose()).toEqual({ name: "avx2", others: ["scalar", "scalar:bmi2"] })
  const without = setUp({ avx2: lacking, ...integer })
  expect(await without.choose()).toEqual({ name: "scalar:bmi2", others: ["scalar"] })
})

test("a single kernel is not measured", async () => {
  const { choose, made, log } = setUp({ wasm: slow })
  expect(await choose()).toEqual({ name: "wasm", others: [] })
  expect(made).toEqual(["wasm 4"])
  expect(log.lines).toEqual([])
})

test("without a usable kernel the exit code is that of a failed self-test", async () => {
  const { choose } = setUp({ avx512: lacking, wasm: miscalculating })
  const error: unknown = await choose().catch(error => error)
  expect(error).toBeInstanceOf(OperatorError)
  expect((error as OperatorError).exitCode).toBe(ExitCode.selfTest)
  expect((error as OperatorError).message).toBe(
    "no engine can be used on this machine (avx512: this CPU has no AVX-512; wasm: a wrong hash)",
  )
})

test("if workers could not be started, the exit code asks for a restart", async () => {
  const { choose } = setUp({ avx512: lacking, wasm: new Error("Failed to spawn worker thread") })
  const error: unknown = await choose().catch(error => error)
  expect((error as OperatorError).exitCode).toBe(ExitCode.lost)
  expect((error as OperatorError).message).toBe(
    "no engine could be started (avx512: this CPU has no AVX-512; wasm: Failed to spawn worker thread)",
  )
})

describe("second threads of cores", () => {
  const cases: [what: string, rate: (workers: number) => number, workers: number][] = [
    ["that help are used", workers => 100_000 * workers, 4],
    ["that hinder are not", workers => (workers === 2 ? 450_000 : 400_000), 2],
  ]
  for (const [what, rate, workers] of cases) {
    test(what, async () => {
      const { cache, saved } = memoryCache()
      const { choose } = setUp({ wasm: rate, "wasm-narrow": () => 1 }, { cache, fewerWorkers: 2 })
      await choose()
      expect(saved[0]!.workers).toBe(workers)
    })
  }
})
