import { describe, expect, test } from "bun:test"
import { measure } from "../../src/commands/measure.ts"
import { RefusedKernel, type Unit } from "../../src/engines/engine.ts"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { FakeEngine } from "../miner/support.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock, settle } from "../support/fake-clock.ts"

/** An engine with a constant hash rate under a fake clock. */
class SteadyEngine extends FakeEngine {
  constructor(
    name: string,
    readonly clock: FakeClock,
    readonly hashesPerSecond: number,
  ) {
    super(name)
    const engine = this
    const [unit] = this.units as [Unit]
    this.units = [
      {
        ...unit,
        get hashes() {
          return engine.#total
        },
      },
    ]
  }

  get #total(): bigint {
    return BigInt(Math.round((this.clock.now() / 1000) * this.hashesPerSecond))
  }

  override hashesOf(): bigint {
    return this.#total - BigInt(this.hashesPerSecond / 2)
  }
}

const NEVER = new AbortController().signal
const log = collectLog()

test("counts hashes after the warm-up, and derives the expected hits", async () => {
  const clock = new FakeClock()
  const engines = [new SteadyEngine("a", clock, 30), new SteadyEngine("b", clock, 10)]
  const seen: string[] = []
  const progress = (seconds: number, rate: number) => void seen.push(`${seconds} s ${rate}`)
  const measuring = measure({ engines, seconds: 2.5, clock, stop: NEVER, log, progress })
  await clock.advance(500)
  // 40 hashes per second and 20 hits per second wanted: difficulty 2.
  expect(engines[0]!.work).toMatchObject({ difficulty: 2n, stopAtCandidate: false })
  await clock.advance(2500)
  expect(await measuring).toEqual({
    engines: ["a", "b"],
    seconds: 2.5,
    hashes: 100,
    hits: 0,
    expectedHits: 50,
    mismatches: 0,
    units: [
      { id: "a/0", kind: "cpu", hashesPerSecond: 30 },
      { id: "b/0", kind: "cpu", hashesPerSecond: 10 },
    ],
  })
  expect(seen).toEqual(["1 s 40", "2 s 40", "2.5 s 40"])
  expect(engines.every(({ closed }) => closed)).toBe(true)
})

test("verifies every candidate of the measured work with the reference", async () => {
  const clock = new FakeClock()
  const engine = new SteadyEngine("a", clock, 20)
  const measuring = measure({ engines: [engine], seconds: 1, clock, stop: NEVER, log, progress: () => {} })
  await settle()
  const { sequence } = engine.work!
  await clock.advance(600)
  // At difficulty 1 every nonce is a hit; candidates of the warm-up do not count.
  engine.find(new Uint8Array(64))
  engine.find(new Uint8Array(64), sequence)
  await clock.advance(1000)
  expect(await measuring).toMatchObject({ hits: 1, mismatches: 0 })
})

test("a candidate that is not a hit counts as a mismatch", async () => {
  const clock = new FakeClock()
  const engine = new SteadyEngine("a", clock, 1e12)
  const measuring = measure({ engines: [engine], seconds: 1, clock, stop: NEVER, log, progress: () => {} })
  await clock.advance(600)
  engine.find(new Uint8Array(64))
  await clock.advance(1000)
  expect(await measuring).toMatchObject({ hits: 0, mismatches: 1 })
})

test("ends early if stopped, and with an error if an engine fails", async () => {
  const clock = new FakeClock()
  const engine = new SteadyEngine("a", clock, 20)
  const stop = new AbortController()
  const stopped = measure({ engines: [engine], seconds: 100, clock, stop: stop.signal, log, progress: () => {} })
  await clock.advance(2500)
  stop.abort()
  expect(await stopped).toMatchObject({ seconds: 2 })

  const failed = measure({ engines: [engine], seconds: 100, clock, stop: NEVER, log, progress: () => {} })
  await settle()
  engine.events!.failed("it is broken")
  expect(failed).rejects.toEqual(new OperatorError("a cannot hash: it is broken", ExitCode.lost))
})

test("can be stopped while engines start, which may take minutes of compilation", async () => {
  const engines = [new FakeEngine("cuda", new Promise(() => {}))]
  const stop = AbortSignal.timeout(1)
  const measuring = measure({ engines, seconds: 1, clock: new FakeClock(), stop, log, progress: () => {} })
  await expect(measuring).rejects.toThrow("stopped before the measurement")
})

describe("an engine that fails to start", () => {
  const broken = (error: Error = new RefusedKernel("a wrong hash", false)) => {
    const starting = Promise.reject(error)
    starting.catch(() => {})
    return new FakeEngine("cuda", starting)
  }

  test("is replaced or skipped, with a warning", async () => {
    const clock = new FakeClock()
    const log = collectLog()
    const engines = [broken(), new SteadyEngine("a", clock, 20), broken()]
    const others = [new SteadyEngine("opencl", clock, 10)]
    const replaceEngine = async () => others.pop()
    const measuring = measure({ engines, replaceEngine, seconds: 1, clock, stop: NEVER, log, progress: () => {} })
    await settle()
    await clock.advance(2000)
    expect((await measuring).engines).toEqual(["opencl", "a"])
    expect(log.texts).toEqual(Array(2).fill("warn the engine cuda cannot be used: a wrong hash"))
    expect(engines.every(({ closed }) => closed)).toBe(true)
  })

  test.each([
    ["computes wrongly", new RefusedKernel("a wrong hash", false), ExitCode.selfTest],
    ["cannot be spawned", new Error("Failed to spawn worker thread"), ExitCode.lost],
  ])("is an OperatorError if it is the only one and %s", async (_, error, exitCode) => {
    const measuring = measure({
      engines: [broken(error)],
      seconds: 1,
      clock: new FakeClock(),
      stop: NEVER,
      log,
      progress: () => {},
    })
    await expect(measuring).rejects.toEqual(new OperatorError("no engine could be started: see the warnings", exitCode))
  })
})
