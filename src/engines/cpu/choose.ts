/**
 * Which kernel mines: of those that pass their self-test here, the fastest on as many workers as will mine, since
 * frequencies drop when all cores run wide instructions.
 */
import { type Clock, sleep } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { U512_MAX } from "../../pow/u512.ts"
import { nextSequence } from "../sequence.ts"
import type { Calibration, CalibrationCache, CalibrationKey } from "./calibration-cache.ts"
import type { CpuEngine } from "./cpu-engine.ts"
import { FALLBACK_OF } from "./kernels.ts"
import { RefusedKernel } from "./worker-thread.ts"

export interface ChooseOptions {
  /** Candidates by name, usually fastest first; one only: it is taken without being measured. */
  readonly kernels: readonly string[]
  /** Workers that are to mine. */
  readonly workers: number
  /** A smaller number that might be faster: one worker for each core, where the others would be on hyper-threads. */
  readonly fewerWorkers?: number | undefined
  readonly createEngine: (kernel: string, workers: number) => CpuEngine
  readonly machine: Omit<CalibrationKey, "workers">
  /** Undefined: every start measures. */
  readonly cache?: CalibrationCache | undefined
  /** Measures even if the cache knows. */
  readonly recalibrate?: boolean
  readonly clock: Clock
  readonly log: Log
}

export interface Choice {
  /** Prepared, and idle. */
  readonly engine: CpuEngine
  /** The other candidates, best first, for the case that this one fails later. */
  readonly others: readonly string[]
}

/** Milliseconds a kernel runs before and while it is measured: the runtime compiles WebAssembly again once it is hot. */
const WARM_UP = 80
const MEASURE = 120

interface Measured {
  readonly engine: CpuEngine
  readonly hashesPerSecond: number
}

/** @throws OperatorError (self-test) where no candidate can be used */
export async function chooseEngine(options: ChooseOptions): Promise<Choice> {
  const { kernels, workers, fewerWorkers, cache, log, machine } = options
  const key = { ...machine, workers: fewerWorkers === undefined ? [workers] : [workers, fewerWorkers] }
  const known = options.recalibrate || kernels.length === 1 ? undefined : await cache?.load(key)
  if (known) return useKnown(options, known)
  if (kernels.length === 1 && fewerWorkers === undefined) return firstUsable(options, kernels, workers)

  const measured = await measureAll(options)
  const [best, ...rest] = measured.toSorted((a, b) => b.hashesPerSecond - a.hashesPerSecond)
  await Promise.all(rest.map(({ engine }) => engine.close()))
  const count = await settleWorkers(options, best!)
  const ranking = [best!, ...rest].map(({ engine, hashesPerSecond }) => ({ name: engine.name, hashesPerSecond }))
  log.info(`${machine.cpu || "this CPU"}: ${describe(ranking)} on ${workers} workers; using ${best!.engine.name}`)
  if (kernels.length > 1) await save(options, key, { kernels: ranking, workers: count })
  const unmeasured = kernels.filter(
    name => FALLBACK_OF[name] !== undefined && !ranking.some(known => known.name === name),
  )
  return { engine: best!.engine, others: [...ranking.slice(1).map(({ name }) => name), ...unmeasured] }
}

/** Takes the ranking of an earlier start, and candidates that it does not know after it. */
function useKnown(options: ChooseOptions, { kernels, workers }: Calibration): Promise<Choice> {
  const ranked = kernels.map(({ name }) => name).filter(name => options.kernels.includes(name))
  options.log.info(`${options.machine.cpu || "this CPU"}: ${describe(kernels)} when it was measured`)
  return firstUsable(options, [...ranked, ...options.kernels.filter(name => !ranked.includes(name))], workers)
}

async function firstUsable(options: ChooseOptions, kernels: readonly string[], workers: number): Promise<Choice> {
  const refusals: string[] = []
  for (const [i, name] of kernels.entries()) {
    const engine = await prepared(options, name, workers, refusals)
    if (engine) return { engine, others: kernels.slice(i + 1) }
  }
  throw noneUsable(refusals)
}

async function measureAll(options: ChooseOptions): Promise<Measured[]> {
  const refusals: string[] = []
  const measured: Measured[] = []
  for (const name of options.kernels) {
    if (measured.some(({ engine }) => engine.name === FALLBACK_OF[name])) continue
    const engine = await prepared(options, name, options.workers, refusals)
    if (engine) measured.push({ engine, hashesPerSecond: await measure(engine, options.clock) })
  }
  if (measured.length === 0) throw noneUsable(refusals)
  return measured
}

/** Undefined where the kernel is refused or its workers fail, which is said in one line. */
async function prepared(
  { createEngine, log }: ChooseOptions,
  name: string,
  workers: number,
  refusals: string[],
): Promise<CpuEngine | undefined> {
  const engine = createEngine(name, workers)
  try {
    await engine.prepare()
    return engine
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    refusals.push(`${name}: ${why}`)
    if (error instanceof RefusedKernel && error.unsupported) log.info(`${name} is not used: ${why}`)
    else log.warn(`${name} is not used, it failed its self-test: ${why}`)
    return undefined
  }
}

/** Hashes a second on all workers of a prepared engine, which is idle again afterwards. */
async function measure(engine: CpuEngine, clock: Clock): Promise<number> {
  engine.assign({
    sequence: nextSequence(),
    header: new Uint8Array(32),
    target: 1n,
    difficulty: U512_MAX,
    prefix: new Uint8Array(0),
    stopAtCandidate: false,
  })
  await sleep(clock, WARM_UP)
  const [begin, before] = [clock.now(), total(engine)]
  await sleep(clock, MEASURE)
  const [end, after] = [clock.now(), total(engine)]
  engine.assign(null)
  return (Number(after - before) / (end - begin)) * 1000
}

/** Leaves the engine with the number of workers that is faster. @returns that number */
async function settleWorkers({ workers, fewerWorkers, clock, log }: ChooseOptions, best: Measured): Promise<number> {
  if (fewerWorkers === undefined || fewerWorkers >= workers) return workers
  await best.engine.resize(fewerWorkers)
  const fewer = await measure(best.engine, clock)
  const count = fewer > best.hashesPerSecond ? fewerWorkers : workers
  log.info(
    `${workers} workers hash ${megahashes(best.hashesPerSecond)}, ${fewerWorkers} (one for each core) ` +
      `${megahashes(fewer)}: using ${count}`,
  )
  if (count !== fewerWorkers) await best.engine.resize(count)
  return count
}

async function save({ cache, log }: ChooseOptions, key: CalibrationKey, calibration: Calibration): Promise<void> {
  try {
    await cache?.save(key, calibration)
  } catch (error) {
    log.debug(`the calibration could not be kept for the next start: ${(error as Error).message}`)
  }
}

const noneUsable = (refusals: readonly string[]): OperatorError =>
  new OperatorError(`no engine can be used on this machine (${refusals.join("; ")})`, ExitCode.selfTest)

const total = ({ units }: CpuEngine): bigint => units.reduce((sum, { hashes }) => sum + hashes, 0n)

const describe = (kernels: Calibration["kernels"]): string =>
  kernels.map(({ name, hashesPerSecond }) => `${name} ${megahashes(hashesPerSecond)}`).join(", ")

const megahashes = (hashesPerSecond: number): string => `${(hashesPerSecond / 1e6).toFixed(2)} MH/s`
