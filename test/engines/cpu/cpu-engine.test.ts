import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { systemClock } from "../../../src/clock.ts"
import { calibrate, Interrupted } from "../../../src/engines/cpu/calibrate.ts"
import { type CpuEngine, type CpuEngineOptions, createCpuEngine } from "../../../src/engines/cpu/cpu-engine.ts"
import { type Candidate, RefusedKernel, type Work } from "../../../src/engines/engine.ts"
import { nextSequence } from "../../../src/engines/sequence.ts"
import { threadAffinity } from "../../../src/host/linux/affinity.ts"
import { targetOf, verifySeal } from "../../../src/pow/target.ts"
import { bytesToInteger } from "../../../src/pow/u512.ts"
import { collectLog } from "../../support/collect-log.ts"
import { CLAIM_FIRST, CRASH_ALL, CRASH_FIRST, DIE_LEASING, HANG_FIRST } from "./faults.ts"

// Real threads on a machine that may be busy with other things.
setDefaultTimeout(60_000)

const FAULTY = { entry: new URL("./faulty-worker.ts", import.meta.url), render: () => undefined }
const IMPOSSIBLE = 2n ** 500n
const header = Uint8Array.from({ length: 32 }, (_, i) => 7 * i)

function work(difficulty: bigint, more: Partial<Work> = {}): Work {
  const sequence = nextSequence()
  const prefix = new Uint8Array(0)
  return { sequence, header, difficulty, target: targetOf(difficulty), prefix, stopAtCandidate: true, ...more }
}

/** A work at whose target the faulty kernels fail. */
const fault = (top: bigint, more: Partial<Work> = {}): Work => work(1n, { target: top << 448n, ...more })

/** Keeps an engine's events, and lets a test wait for what they make true. */
class Watch {
  readonly candidates: Candidate[] = []
  readonly switched: string[] = []
  readonly restarted: string[] = []
  readonly exhausted: number[] = []
  readonly failed: string[] = []
  onCandidate: (candidate: Candidate) => void = () => {}
  #waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = []

  readonly events = {
    candidate: (candidate: Candidate) => {
      this.candidates.push(candidate)
      this.onCandidate(candidate)
      this.#check()
    },
    exhausted: (sequence: number) => this.#add(this.exhausted, sequence),
    switched: (unit: string, sequence: number) => this.#add(this.switched, `${unit} ${sequence}`),
    restarted: (unit: string, why: string) => this.#add(this.restarted, `${unit}: ${why}`),
    failed: (why: string) => this.#add(this.failed, why),
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push({ condition, resolve }))
  }

  #add<T>(list: T[], value: T): void {
    list.push(value)
    this.#check()
  }

  #check(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => !condition() || resolve())
  }
}

let random = 0

async function setUp(options: Partial<CpuEngineOptions> = {}) {
  const log = collectLog()
  const engine = createCpuEngine({
    kernel: "wasm",
    workers: 2,
    random: bytes => new Uint8Array(bytes).fill(++random),
    clock: systemClock,
    log,
    ...options,
  })
  const watch = new Watch()
  await engine.start(watch.events)
  return { engine, watch, log }
}

/** Waits for something that no event tells, and leaves the CPUs to the workers. */
async function poll(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1)
}

/** Awaits without `expect().rejects`, which holds up the messages of workers. */
const failureOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error("it did not fail"),
    (error: Error) => error,
  )

const total = (engine: CpuEngine): bigint => engine.units.reduce((sum, { hashes }) => sum + hashes, 0n)

describe("two workers", () => {
  let engine: CpuEngine
  let watch: Watch
  beforeAll(async () => ({ engine, watch } = await setUp()))
  afterAll(() => engine.close())

  test("find a seal, stop, and continue if it is not confirmed", async () => {
    watch.candidates.length = 0
    const job = work(500n)
    engine.assign(job)
    await watch.until(() => watch.candidates.length === 1)
    const counted = engine.hashesOf(job.sequence)
    expect(counted).toBeGreaterThan(0n)
    expect(engine.units.map(({ sequence }) => sequence)).toEqual([0, 0])
    engine.resume(job.sequence)
    await watch.until(() => watch.candidates.length === 2)
    expect(engine.hashesOf(job.sequence)).toBeGreaterThan(counted)
    for (const { nonce, sequence, unit } of watch.candidates) {
      expect(sequence).toBe(job.sequence)
      expect(unit).toMatch(/^wasm\/[01]$/)
      expect(verifySeal(header, nonce, job.target)).toBeDefined()
    }
    expect(watch.candidates[0]!.nonce).not.toEqual(watch.candidates[1]!.nonce)
  })

  test("all take up a new work and count for no other", async () => {
    const before = work(IMPOSSIBLE)
    engine.assign(before)
    await poll(() => engine.units.every(({ sequence }) => sequence === before.sequence))
    const after = work(IMPOSSIBLE)
    engine.assign(after)
    await watch.until(() => [0, 1].every(i => watch.switched.includes(`wasm/${i} ${after.sequence}`)))
    await poll(() => engine.hashesOf(after.sequence) > 0n)
    expect(engine.hashesOf(before.sequence)).toBe(0n)
    engine.assign(null)
    expect(engine.units.map(({ sequence }) => sequence)).toEqual([0, 0])
  })

  test("report every hit of a work that continues", async () => {
    watch.candidates.length = 0
    const job = work(1n, { stopAtCandidate: false, prefix: Uint8Array.of(0xca, 0xfe) })
    engine.assign(job)
    await watch.until(() => watch.candidates.length >= 2000)
    engine.assign(null)
    const nonces = watch.candidates.map(({ nonce }) => nonce.toHex())
    expect(new Set(nonces).size).toBe(nonces.length)
    expect(nonces.every(nonce => nonce.startsWith("cafe"))).toBe(true)
  })

  test("search each nonce of a range once, none outside, and report its end", async () => {
    watch.candidates.length = 0
    const range = { first: 2n ** 256n - 9000n, last: 2n ** 256n + 4999n }
    const job = work(1n, { stopAtCandidate: false, range })
    engine.assign(job)
    await watch.until(() => watch.exhausted.includes(job.sequence))
    const nonces = watch.candidates.map(({ nonce }) => bytesToInteger(nonce)).sort((a, b) => (a < b ? -1 : 1))
    expect(nonces.length).toBe(14_000)
    expect(nonces.every((nonce, i) => nonce === range.first + BigInt(i))).toBe(true)
    expect(engine.hashesOf(job.sequence)).toBe(14_000n)
  })

  test("end the search of a range at a candidate", async () => {
    watch.candidates.length = 0
    const job = work(300n, { range: { first: 0n, last: 2n ** 512n - 1n } })
    engine.assign(job)
    await watch.until(() => watch.candidates.length === 1)
    expect(verifySeal(header, watch.candidates[0]!.nonce, job.target)).toBeDefined()
    expect(watch.exhausted).not.toContain(job.sequence)
  })

  test("are added and removed while the work continues", async () => {
    const job = work(IMPOSSIBLE)
    engine.assign(job)
    await engine.resize(3)
    await poll(() => engine.units.length === 3 && engine.units.every(({ sequence }) => sequence === job.sequence))
    const [first, second] = engine.units.map(({ hashes }) => hashes)
    await engine.resize(1)
    expect(engine.units.map(({ id }) => id)).toEqual(["wasm/0"])
    await poll(() => engine.units[0]!.hashes > first!)
    await engine.resize(2)
    expect(engine.units[1]!.hashes >= second!).toBe(true)
    await poll(() => engine.units.every(({ sequence }) => sequence === job.sequence))
    expect(watch.restarted).toEqual([])
  })
})

describe("a worker", () => {
  test("that dies is replaced and counted; its job continues, and no nonce is lost or repeated", async () => {
    const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY })
    const range = { first: 0n, last: 29_999n }
    const job = fault(CRASH_FIRST, { stopAtCandidate: false, range })
    engine.assign(job)
    await watch.until(() => watch.exhausted.includes(job.sequence) && watch.restarted.length > 0)
    expect(watch.restarted).toEqual(["faulty/0: Error: the kernel crashed"])
    const nonces = new Set(watch.candidates.map(({ nonce }) => bytesToInteger(nonce)))
    expect(nonces.size).toBe(30_000)
    expect(watch.candidates.length).toBe(30_000)
    expect(engine.hashesOf(job.sequence)).toBe(30_000n)
    const before = total(engine)
    engine.assign(work(IMPOSSIBLE))
    await poll(() => engine.units.every(({ sequence }) => sequence !== 0))
    expect(total(engine) >= before).toBe(true)
    const gone = Promise.all(engine.units.map(({ current }) => current!.thread.gone))
    await engine.close()
    expect(await gone).toHaveLength(2)
  })

  test("that dies between leasing a chunk and beginning it is replaced, and the chunk is searched by others", async () => {
    const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY })
    const job = fault(DIE_LEASING, { stopAtCandidate: false, range: { first: 100n, last: 30_099n } })
    engine.assign(job)
    await watch.until(() => watch.exhausted.includes(job.sequence))
    // The successor has another slot, where no thread dies.
    expect(watch.restarted).toEqual(["faulty/0: Error: the thread died"])
    const nonces = new Set(watch.candidates.map(({ nonce }) => bytesToInteger(nonce)))
    expect([nonces.size, watch.candidates.length]).toEqual([30_000, 30_000])
    expect(engine.hashesOf(job.sequence)).toBe(30_000n)
    await engine.close()
  })

  test("that dies after it claimed the end of the search does not end it", async () => {
    const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY })
    const job = fault(CLAIM_FIRST)
    engine.assign(job)
    await watch.until(() => watch.restarted.length > 0)
    await poll(() => engine.units.every(({ sequence }) => sequence === job.sequence))
    const counted = engine.hashesOf(job.sequence)
    await poll(() => engine.hashesOf(job.sequence) > counted)
    expect(watch.candidates).toEqual([])
    await engine.close()
  })

  test("that hangs is replaced, and the rest of its range is searched by others", async () => {
    const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY })
    const range = { first: 0n, last: 29_999n }
    const job = fault(HANG_FIRST, { stopAtCandidate: false, range })
    engine.assign(job)
    await watch.until(() => watch.exhausted.includes(job.sequence))
    expect(watch.restarted).toEqual(["faulty/0: it made no progress for 1 s"])
    expect(new Set(watch.candidates.map(({ nonce }) => bytesToInteger(nonce))).size).toBe(30_000)
    expect(engine.hashesOf(job.sequence)).toBe(30_000n)
    await engine.close()
  })

  test("that waits for a CPU is starved: it is reported once a minute and not replaced", async () => {
    const { engine, watch, log } = await setUp({
      kernel: "faulty",
      ...FAULTY,
      activity: () => ({ state: "runnable", cpuMs: 5 }),
    })
    const job = fault(HANG_FIRST, { stopAtCandidate: false, range: { first: 0n, last: 29_999n } })
    engine.assign(job)
    while (log.lines.length === 0) await Bun.sleep(10)
    // Longer than the time after which a hung worker is replaced.
    await Bun.sleep(1500)
    expect(watch.restarted).toEqual([])
    expect(log.texts).toHaveLength(1)
    expect(log.texts[0]).toContain("faulty/0 is starved: other programs left it less than 10 % of a CPU for 1 s")
    await engine.close()
  })

  test("that runs without progress, or is stopped, is replaced", async () => {
    for (const state of ["runnable", "stopped"] as const) {
      let cpuMs = 0
      const activity = () => ({ state, cpuMs: state === "runnable" ? (cpuMs += 1000) : 0 })
      const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY, activity })
      engine.assign(fault(HANG_FIRST, { stopAtCandidate: false, range: { first: 0n, last: 29_999n } }))
      await watch.until(() => watch.restarted.length > 0)
      expect(watch.restarted).toEqual(["faulty/0: it made no progress for 1 s"])
      await engine.close()
    }
  })

  test("that dies repeatedly is given up, and the engine fails with the last one", async () => {
    const patience = { startMs: 30_000, maxStillLooks: 3, maxFailures: 1, failureWindowMs: 60_000 }
    const { engine, watch, log } = await setUp({ kernel: "faulty", ...FAULTY, workers: 1, patience })
    engine.assign(fault(CRASH_ALL, { stopAtCandidate: false }))
    await watch.until(() => watch.failed.length > 0)
    expect(watch.restarted).toHaveLength(2)
    expect(log.lines).toEqual([
      { level: "error", message: "faulty/0 failed repeatedly and was given up: Error: the kernel crashed" },
    ])
    expect(engine.units[0]!.sequence).toBe(0)
    await engine.close()
  })
})

describe("a kernel", () => {
  const refusals: [kernel: string, unsupported: boolean, why: RegExp][] = [
    ["unsupported", true, /^this CPU has no such thing$/],
    ["wrong", false, /^wrong candidates in a row: 255 reported, 256 expected$/],
  ]
  for (const [kernel, unsupported, why] of refusals) {
    test(`that is ${kernel} is refused`, async () => {
      const error = await setUp({ kernel, ...FAULTY, workers: 1 }).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(error).toBeInstanceOf(RefusedKernel)
      expect((error as RefusedKernel).unsupported).toBe(unsupported)
      expect((error as RefusedKernel).message).toMatch(why)
    })
  }

  test("that is refused makes no later change of size fail", async () => {
    const log = collectLog()
    const engine = createCpuEngine({
      kernel: "unsupported",
      ...FAULTY,
      workers: 1,
      random: bytes => new Uint8Array(bytes),
      clock: systemClock,
      log,
    })
    const started = engine.start(new Watch().events)
    const resized = engine.resize(2)
    await expect(started).rejects.toThrow("this CPU has no such thing")
    await resized
    await engine.resize(3)
    expect(log.lines).toEqual([])
  })

  test("that cannot be rendered is reported with the reason", async () => {
    expect(setUp({ kernel: "broken", ...FAULTY, workers: 1 })).rejects.toThrow("cannot be made")
  })
})

describe("another kernel", () => {
  const threads = (engine: CpuEngine) => engine.units.map(({ current }) => current!.thread)

  test("is loaded into the same threads while their job continues", async () => {
    const { engine, watch } = await setUp({ kernel: "wasm" })
    const job = work(IMPOSSIBLE)
    engine.assign(job)
    await poll(() => engine.units.every(({ hashes }) => hashes > 0n))
    const before = threads(engine)
    await engine.load("wasm-narrow")
    const counted = engine.hashesOf(job.sequence)
    await poll(() => engine.hashesOf(job.sequence) > counted)
    expect(threads(engine)).toEqual(before)
    expect([engine.kernel, engine.name, engine.units[0]!.id]).toEqual(["wasm-narrow", "wasm", "wasm/0"])
    const total = engine.units[0]!.hashes
    engine.adopt()
    expect(engine.units.map(({ id }) => id)).toEqual(["wasm-narrow/0", "wasm-narrow/1"])
    expect(engine.units[0]!.hashes).toBeLessThan(total)
    expect(watch.restarted).toEqual([])
    await engine.close()
  })

  test("that is refused leaves the threads to a third one, and no nonce of a range is lost or repeated", async () => {
    const { engine, watch } = await setUp({ kernel: "faulty", ...FAULTY })
    const job = work(1n, { stopAtCandidate: false, range: { first: 0n, last: 99_999n } })
    engine.assign(job)
    await watch.until(() => watch.candidates.length > 0)
    const before = threads(engine)
    expect(await failureOf(engine.load("wrong"))).toBeInstanceOf(RefusedKernel)
    expect((await failureOf(engine.load("unsupported"))).message).toBe("this CPU has no such thing")
    expect(watch.exhausted).toEqual([])
    await engine.load("faulty")
    await watch.until(() => watch.exhausted.includes(job.sequence))
    expect(new Set(watch.candidates.map(({ nonce }) => bytesToInteger(nonce))).size).toBe(100_000)
    expect(watch.candidates).toHaveLength(100_000)
    expect(engine.hashesOf(job.sequence)).toBe(100_000n)
    expect(threads(engine)).toEqual(before)
    expect(watch.restarted).toEqual([])
    await engine.close()
  })

  for (const [what, activity] of [
    ["was stopped", { state: "stopped", cpuMs: 5 }],
    ["has ended", undefined],
  ] as const) {
    test(`is loaded by the replacement of a thread that ${what} meanwhile`, async () => {
      let isLoading = false
      const { engine, watch } = await setUp({
        kernel: "faulty",
        ...FAULTY,
        workers: 1,
        activity: () => (isLoading ? activity : { state: "runnable", cpuMs: performance.now() }),
      })
      engine.assign(work(IMPOSSIBLE))
      isLoading = true
      await engine.load("stuck")
      expect(watch.restarted).toEqual(["faulty/0: it made no progress for 1 s"])
      expect([engine.kernel, engine.units[0]!.current?.ready]).toEqual(["stuck", true])
      await poll(() => engine.units[0]!.sequence > 0)
      await engine.close()
    })
  }

  test("is not loaded into a closed engine, and closing does not wait for its measurement", async () => {
    const { engine, log } = await setUp({ kernel: "wasm" })
    const options = { engine, candidates: ["wasm", "wasm-narrow", "avx2"], clock: systemClock, log }
    const calibrated = calibrate(options)
    const from = performance.now()
    await engine.close()
    expect(await failureOf(calibrated)).toBeInstanceOf(Interrupted)
    expect(performance.now() - from).toBeLessThan(5000)
    expect((await failureOf(engine.load("wasm-narrow"))).message).toBe("the engine is closed")
    expect(log.lines).toEqual([])
  })

  test("is measured without work, of which nothing is reported", async () => {
    const { engine, watch, log } = await setUp({ kernel: "wasm" })
    const { calibration } = await calibrate({ engine, candidates: ["wasm", "avx2"], clock: systemClock, log })
    const [best] = calibration.kernels
    expect(best!.hashesPerSecond).toBeGreaterThan(0)
    expect(engine.kernel).toBe(best!.name)
    expect(engine.units.every(({ sequence }) => sequence === 0)).toBe(true)
    expect([watch.candidates, watch.switched, watch.exhausted]).toEqual([[], [], []])
    await engine.close()
  })
})

describe("workers whose CPUs have different kernels", () => {
  const kernelsOf = (engine: CpuEngine) => engine.units.map(({ current }) => current!.task!.kernel)
  const idsOf = (engine: CpuEngine) => engine.units.map(({ id }) => id)
  const setAffinity = () => true

  test("run them, are named after them, and load that of the CPU that they move to", async () => {
    const { engine, watch } = await setUp({ byCpu: new Map([[1, "wasm-narrow"]]), affinity: [0, 1], setAffinity })
    const job = work(IMPOSSIBLE)
    engine.assign(job)
    expect(kernelsOf(engine)).toEqual(["wasm", "wasm-narrow"])
    expect(idsOf(engine)).toEqual(["wasm/0", "wasm-narrow/1"])
    expect([engine.name, engine.kernels]).toEqual(["wasm+wasm-narrow", ["wasm", "wasm-narrow"]])
    const before = engine.units.map(({ current }) => current!.thread)
    await engine.moveWorkers([1, 0], [0, 1])
    expect(kernelsOf(engine)).toEqual(["wasm-narrow", "wasm"])
    expect(idsOf(engine)).toEqual(["wasm-narrow/0", "wasm/1"])
    await engine.resize(3)
    expect(kernelsOf(engine)).toEqual(["wasm-narrow", "wasm", "wasm-narrow"])
    await engine.moveWorkers(undefined, [0, 1])
    expect([engine.name, engine.kernels, kernelsOf(engine)]).toEqual(["wasm", ["wasm"], ["wasm", "wasm", "wasm"]])
    const counted = engine.hashesOf(job.sequence)
    await poll(() => engine.hashesOf(job.sequence) > counted)
    expect(engine.units.slice(0, 2).map(({ current }) => current!.thread)).toEqual(before)
    expect(watch.restarted).toEqual([])
    await engine.close()
  })

  test("are loaded together, and a later load gives all workers one kernel", async () => {
    const { engine } = await setUp({ affinity: [0, 1], setAffinity })
    await engine.load("wasm", new Map([[1, "wasm-narrow"]]))
    expect([idsOf(engine), kernelsOf(engine)]).toEqual([
      ["wasm/0", "wasm/1"],
      ["wasm", "wasm-narrow"],
    ])
    expect(engine.readings().map(({ cpu }) => cpu)).toEqual([0, 1])
    engine.adopt()
    expect(idsOf(engine)).toEqual(["wasm/0", "wasm-narrow/1"])
    await engine.load("wasm-narrow")
    expect(kernelsOf(engine)).toEqual(["wasm-narrow", "wasm-narrow"])
    await engine.close()
  })

  test("all run that of other CPUs if a move brings one that is refused", async () => {
    const byCpu = new Map([[1, "wrong"]])
    const { engine, watch } = await setUp({ kernel: "faulty", byCpu, ...FAULTY, affinity: [0], setAffinity })
    const job = work(IMPOSSIBLE)
    engine.assign(job)
    await engine.moveWorkers([0, 1], [0, 1])
    expect([kernelsOf(engine), engine.kernels]).toEqual([["faulty", "faulty"], ["faulty"]])
    await poll(() => engine.units.every(({ sequence }) => sequence === job.sequence))
    expect(watch.restarted).toEqual([])
    await engine.close()
  })
})

test("running workers move to other CPUs, and new ones start on them", async () => {
  const moves: { cpus: number[]; thread: number | undefined }[] = []
  const [cpu = 0] = threadAffinity() ?? []
  const { engine, watch } = await setUp({
    affinity: [cpu],
    setAffinity: (cpus, thread) => moves.push({ cpus: [...cpus], thread }) > 0,
  })
  const job = work(IMPOSSIBLE)
  engine.assign(job)
  await watch.until(() => watch.switched.length === 2)
  const cpus = () => engine.units.map(unit => unit.cpu)
  expect(cpus()).toEqual([cpu, cpu])
  engine.moveWorkers([7, 5, cpu], [cpu, 5, 7])
  expect(cpus()).toEqual([7, 5])
  expect(moves.map(({ cpus }) => cpus)).toEqual([[7], [5]])
  if (process.platform === "linux") expect(new Set(moves.map(({ thread }) => thread)).size).toBe(2)
  await engine.resize(3)
  expect(cpus()).toEqual([7, 5, cpu])
  moves.length = 0
  engine.moveWorkers(undefined, [cpu, 9])
  expect(moves.map(({ cpus }) => cpus)).toEqual([1, 2, 3].map(() => [cpu, 9]))
  const before = engine.hashesOf(job.sequence)
  await poll(() => engine.units.every(({ sequence }) => sequence === job.sequence))
  await poll(() => engine.hashesOf(job.sequence) > before)
  expect(watch.restarted).toEqual([])
  await engine.close()
})
