/** Measures the hash rate of engines and verifies their candidates. */
import { type Clock, sleep } from "../clock.ts"
import { benchmarkWork } from "../engines/benchmark-work.ts"
import {
  type Candidate,
  type Engine,
  type EngineEvents,
  RefusedKernel,
  type Unit,
  type Work,
} from "../engines/engine.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import { verifySeal } from "../pow/target.ts"
import { aborted } from "./stop-signal.ts"

export interface MeasureOptions {
  /** Not started; closed at the end. Engines that fail to start are skipped. */
  readonly engines: readonly Engine[]
  /** Returns a replacement, not started, for an engine that failed to start; undefined if there is no fallback. */
  readonly replaceEngine?: (failed: Engine) => Promise<Engine | undefined>
  readonly log: Log
  readonly seconds: number
  readonly clock: Clock
  /** Ends the measurement early. */
  readonly stop: AbortSignal
  /** Receives the elapsed time and the rate so far, once per second. */
  readonly progress: (seconds: number, hashesPerSecond: number) => void
}

export interface Measurement {
  /** Names of the engines that hashed. */
  readonly engines: readonly string[]
  readonly seconds: number
  readonly hashes: number
  /** Candidates that the reference confirmed. */
  readonly hits: number
  /** Expected number of hits for the tested nonces and the target. */
  readonly expectedHits: number
  /** Candidates that the reference rejected. */
  readonly mismatches: number
  readonly units: readonly UnitRate[]
}

export interface UnitRate {
  readonly id: string
  readonly kind: Unit["kind"]
  readonly hashesPerSecond: number
}

/** Warm-up, in which clock frequencies settle and the rate is estimated, from which the difficulty is derived. */
const WARM_UP_MS = 500
/** Verification takes about 1 ms per hit; more hits would slow down the measurement. */
const HITS_PER_SECOND = 20
const NO_HITS = 2n ** 512n - 1n
const PROGRESS_MS = 1000

/** @throws OperatorError if no engine starts, an engine fails while hashing, or `stop` is aborted before the start */
export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { seconds, clock, stop, progress } = options
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  let work: Work | undefined
  let hits = 0
  let mismatches = 0
  const judge = ({ sequence, nonce }: Candidate) => {
    if (sequence !== work?.sequence) return
    if (verifySeal(work.header, nonce, work.target)) hits += 1
    else mismatches += 1
  }
  const engines: Engine[] = []
  const events = (engine: Engine): EngineEvents => ({
    candidate: judge,
    exhausted() {},
    switched() {},
    restarted() {},
    failed: why => failure.reject(new OperatorError(`${engine.name} cannot hash: ${why}`, ExitCode.lost)),
  })
  const units = () => engines.flatMap(engine => engine.units)
  const search = (difficulty: bigint) => {
    work = benchmarkWork(difficulty)
    for (const engine of engines) engine.assign(work)
  }
  const during = (ms: number) => Promise.race([sleep(clock, ms, stop), failure.promise])

  try {
    // GPU engines compile concurrently, each in its own thread.
    let mayStartLater = false
    const refused = (error: unknown) => {
      mayStartLater ||= !(error instanceof RefusedKernel)
    }
    const starting = options.engines.map(engine => startOne(engine, events, options, refused))
    const started = await Promise.race([Promise.all(starting), aborted(stop)])
    if (!started) throw new OperatorError("stopped before the measurement", ExitCode.failure)
    engines.push(...started.filter(engine => engine !== undefined))
    if (engines.length === 0) {
      const exitCode = mayStartLater ? ExitCode.lost : ExitCode.selfTest
      throw new OperatorError("no engine could be started: see the warnings", exitCode)
    }
    search(NO_HITS)
    const warm = new Lap(units(), clock)
    await during(WARM_UP_MS)
    search(BigInt(Math.max(1, Math.round(warm.rate / HITS_PER_SECOND))))
    const lap = new Lap(units(), clock)
    // Timers have a resolution of 1 ms.
    for (let left = seconds; left > 0.001 && !stop.aborted; left = seconds - lap.seconds) {
      await during(Math.min(PROGRESS_MS, 1000 * left))
      progress(lap.seconds, lap.rate)
    }
    const counted = engines.reduce((sum, engine) => sum + engine.hashesOf(work!.sequence), 0n)
    const expectedHits = Number(counted) / Number(work!.difficulty)
    const names = engines.map(({ name }) => name)
    return {
      engines: names,
      seconds: lap.seconds,
      hashes: lap.hashes,
      hits,
      expectedHits,
      mismatches,
      units: lap.units,
    }
  } finally {
    await Promise.all(engines.map(engine => engine.close()))
  }
}

/** @param refused receives the error of each start that fails @returns the engine or its replacement; undefined if neither starts */
async function startOne(
  engine: Engine,
  events: (engine: Engine) => EngineEvents,
  options: MeasureOptions,
  refused: (error: unknown) => void,
): Promise<Engine | undefined> {
  try {
    await engine.start(events(engine))
    return engine
  } catch (error) {
    options.log.warn(`the engine ${engine.name} cannot be used: ${(error as Error).message}`)
    refused(error)
    await engine.close()
    const next = await options.replaceEngine?.(engine)
    return next && startOne(next, events, options, refused)
  }
}

/** Counts hashes from its creation on. */
class Lap {
  readonly #units: readonly Unit[]
  readonly #clock: Clock
  readonly #before: readonly bigint[]
  readonly #startedAt: number

  constructor(units: readonly Unit[], clock: Clock) {
    this.#units = units
    this.#clock = clock
    this.#before = units.map(unit => unit.hashes)
    this.#startedAt = clock.now()
  }

  get seconds(): number {
    return (this.#clock.now() - this.#startedAt) / 1000
  }

  get hashes(): number {
    return this.#hashes.reduce((a, b) => a + b, 0)
  }

  get rate(): number {
    return this.hashes / this.seconds
  }

  get units(): UnitRate[] {
    const hashes = this.#hashes
    const { seconds } = this
    return this.#units.map(({ id, kind }, i) => ({ id, kind, hashesPerSecond: hashes[i]! / seconds }))
  }

  get #hashes(): number[] {
    return this.#units.map((unit, i) => Number(unit.hashes - this.#before[i]!))
  }
}
