/**
 * Chooses the kernel that mines: the fastest that passes its self-test, measured with the number of workers that will mine,
 * because CPU frequencies drop if all cores run wide instructions.
 */
import { type Clock, sleep } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { U512_MAX } from "../../pow/u512.ts"
import { benchmarkWork } from "../benchmark-work.ts"
import { RefusedKernel } from "../engine.ts"
import type { Calibration, CalibrationCache, CalibrationKey } from "./calibration-cache.ts"
import type { CpuEngine } from "./cpu-engine.ts"
import { FALLBACK_OF } from "./kernels.ts"

export interface ChooseOptions {
  /** Kernels by name, usually fastest first; a single one is used without measurement. */
  readonly kernels: readonly string[]
  /** Workers that will mine. */
  readonly workers: number
  /** A smaller number of workers to measure too: one per core, if the others would run on second threads of a core. */
  readonly fewerWorkers?: number | undefined
  readonly createEngine: (kernel: string, workers: number) => CpuEngine
  readonly machine: Omit<CalibrationKey, "workers">
  /** Undefined: every start measures. */
  readonly cache?: CalibrationCache | undefined
  /** Measures even if the cache has a calibration. */
  readonly recalibrate?: boolean
  readonly clock: Clock
  readonly log: Log
}

export interface Choice {
  /** Prepared and idle. */
  readonly engine: CpuEngine
  /** The other kernels, best first, to replace this one if it fails later. */
  readonly others: readonly string[]
}

/**
 * Run time of a kernel before its first measurement (the runtime optimizes WebAssembly meanwhile), and in each slice.
 * Kernels take turns, and the best slice of each counts, because other load on the machine only slows slices down.
 */
const WARM_UP_MS = 80
const SLICE_MS = 40
const SLICES = 3

/** Kernels above this fraction of the highest rate are measured again, because load may have slowed one down. */
const CLOSE = 0.95

/** Kernels above this fraction after the second measurement count as equal: the first in the list is chosen. */
const ALIKE = 0.98

/** A kernel below this fraction of the highest rate was deprived of the CPU, so its measurement is invalid. */
const PLAUSIBLE = 0.02

/** The reason why a kernel cannot be used. */
interface Refusal {
  readonly kernel: string
  readonly why: string
  /** True if the kernel itself was refused; false if its workers could not be started. */
  readonly permanent: boolean
}

interface Measured {
  readonly engine: CpuEngine
  readonly hashesPerSecond: number
}

/**
 * @throws OperatorError if no kernel can be used: `selfTest` if all are refused, `lost` if workers of one could not be
 *   started, for lack of memory or threads
 */
export async function chooseEngine(options: ChooseOptions): Promise<Choice> {
  const { kernels, workers, fewerWorkers, cache, log, machine } = options
  const key = { ...machine, workers: fewerWorkers === undefined ? [workers] : [workers, fewerWorkers] }
  const known = options.recalibrate || kernels.length === 1 ? undefined : await cache?.load(key)
  if (known) return useKnown(options, known)
  if (kernels.length === 1 && fewerWorkers === undefined) return firstUsable(options, kernels, workers)

  const measured = await measureAll(await preparedAll(options), options.clock)
  const [best, ...rest] = ranked(measured)
  await Promise.all(rest.map(({ engine }) => engine.close()))
  const settled = await settleWorkers(options, best!)
  const ranking = [best!, ...rest].map(({ engine, hashesPerSecond }) => ({ name: engine.name, hashesPerSecond }))
  log.info(
    `${machine.cpu || "this CPU"}: ${describe(ranking)} on ${workers} ${workers === 1 ? "worker" : "workers"}; using ${best!.engine.name}`,
  )
  if (!settled.plausible || measured.some(one => !isPlausible(one, measured))) {
    log.warn("this machine is too busy to measure all kernels: the next start measures again")
  } else if (kernels.length > 1) await save(options, key, { kernels: ranking, workers: settled.workers })
  const unmeasured = kernels.filter(
    name => FALLBACK_OF[name] !== undefined && !ranking.some(known => known.name === name),
  )
  return { engine: best!.engine, others: [...ranking.slice(1).map(({ name }) => name), ...unmeasured] }
}

/** Uses the ranking of an earlier start, followed by kernels that it lacks. */
function useKnown(options: ChooseOptions, { kernels, workers }: Calibration): Promise<Choice> {
  const ranked = kernels.map(({ name }) => name).filter(name => options.kernels.includes(name))
  options.log.info(`${options.machine.cpu || "this CPU"}: ${describe(kernels)} when it was measured`)
  return firstUsable(options, [...ranked, ...options.kernels.filter(name => !ranked.includes(name))], workers)
}

async function firstUsable(options: ChooseOptions, kernels: readonly string[], workers: number): Promise<Choice> {
  const refusals: Refusal[] = []
  for (const [i, name] of kernels.entries()) {
    const engine = await prepared(options, name, workers, refusals)
    if (engine) return { engine, others: kernels.slice(i + 1) }
  }
  throw noneUsable(refusals)
}

/** Engines of the kernels that can be used, at least one. */
async function preparedAll(options: ChooseOptions): Promise<CpuEngine[]> {
  const refusals: Refusal[] = []
  const engines: CpuEngine[] = []
  for (const name of options.kernels) {
    if (engines.some(engine => engine.name === FALLBACK_OF[name])) continue
    const engine = await prepared(options, name, options.workers, refusals)
    if (engine) engines.push(engine)
  }
  if (engines.length === 0) throw noneUsable(refusals)
  return engines
}

/** Measures engines in turns, then again those whose measurement is invalid or whose rates are close. */
async function measureAll(engines: readonly CpuEngine[], clock: Clock): Promise<Measured[]> {
  const first = await inTurns(engines, clock)
  const isMeasured = first.every(one => isPlausible(one, first))
  const unclear = isMeasured ? first.filter(one => one.hashesPerSecond >= CLOSE * highest(first)) : first
  if (isMeasured && unclear.length === 1) return first
  const unclearEngines = unclear.map(({ engine }) => engine)
  const second = await inTurns(unclearEngines, clock)
  return first.map(one => second.filter(({ engine }) => engine === one.engine).reduce(faster, one))
}

/** Best first. */
function ranked(measured: readonly Measured[]): Measured[] {
  const best = measured.find(({ hashesPerSecond }) => hashesPerSecond >= ALIKE * highest(measured))!
  const rest = measured.filter(one => one !== best)
  return [best, ...rest.toSorted((a, b) => b.hashesPerSecond - a.hashesPerSecond)]
}

const highest = (measured: readonly Measured[]): number =>
  Math.max(...measured.map(({ hashesPerSecond }) => hashesPerSecond))

async function inTurns(engines: readonly CpuEngine[], clock: Clock): Promise<Measured[]> {
  let best = engines.map((engine): Measured => ({ engine, hashesPerSecond: 0 }))
  for (let slice = 0; slice < SLICES; slice++) {
    const next: Measured[] = []
    for (const one of best) next.push(faster(one, await measure(one.engine, slice === 0 ? WARM_UP_MS : 0, clock)))
    best = next
  }
  return best
}

const faster = (a: Measured, b: Measured): Measured => (b.hashesPerSecond > a.hashesPerSecond ? b : a)

function isPlausible({ hashesPerSecond }: Measured, all: readonly Measured[]): boolean {
  return hashesPerSecond > PLAUSIBLE * highest(all)
}

/** Undefined, with one log line, if the kernel is refused or its workers fail. */
async function prepared(
  { createEngine, log }: ChooseOptions,
  name: string,
  workers: number,
  refusals: Refusal[],
): Promise<CpuEngine | undefined> {
  const engine = createEngine(name, workers)
  try {
    await engine.prepare()
    return engine
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    refusals.push({ kernel: name, why, permanent: error instanceof RefusedKernel })
    if (!(error instanceof RefusedKernel)) log.warn(`${name} is not used, it could not be started: ${why}`)
    else if (error.unsupported) log.info(`${name} is not used: ${why}`)
    else log.warn(`${name} is not used, it failed its self-test: ${why}`)
    return undefined
  }
}

/** Measures one slice on all workers of a prepared engine, which is idle afterwards. */
async function measure(engine: CpuEngine, warmUpMs: number, clock: Clock): Promise<Measured> {
  engine.assign(benchmarkWork(U512_MAX))
  if (warmUpMs > 0) await sleep(clock, warmUpMs)
  const [begin, before] = [clock.now(), total(engine)]
  await sleep(clock, SLICE_MS)
  const [end, after] = [clock.now(), total(engine)]
  engine.assign(null)
  return { engine, hashesPerSecond: (Number(after - before) / (end - begin)) * 1000 }
}

/** Resizes the engine to the faster number of workers. @returns that number; `plausible`: false if the measurement is invalid */
async function settleWorkers(
  { workers, fewerWorkers, clock, log }: ChooseOptions,
  best: Measured,
): Promise<{ readonly workers: number; readonly plausible: boolean }> {
  if (fewerWorkers === undefined || fewerWorkers >= workers) return { workers, plausible: true }
  await best.engine.resize(fewerWorkers)
  const [fewer] = await measureAll([best.engine], clock)
  const count = fewer!.hashesPerSecond > best.hashesPerSecond ? fewerWorkers : workers
  log.info(
    `${workers} workers hash ${megahashes(best.hashesPerSecond)}, ${fewerWorkers} (one for each core) ` +
      `${megahashes(fewer!.hashesPerSecond)}: using ${count}`,
  )
  if (count !== fewerWorkers) await best.engine.resize(count)
  return { workers: count, plausible: isPlausible(fewer!, [best, fewer!]) }
}

async function save({ cache, log }: ChooseOptions, key: CalibrationKey, calibration: Calibration): Promise<void> {
  try {
    await cache?.save(key, calibration)
  } catch (error) {
    log.debug(`the calibration could not be saved for the next start: ${(error as Error).message}`)
  }
}

/** Workers that failed to start for lack of memory or threads may start next time; a refused kernel will not. */
function noneUsable(refusals: readonly Refusal[]): OperatorError {
  const whys = refusals.map(({ kernel, why }) => `${kernel}: ${why}`).join("; ")
  const mayStartLater = refusals.some(({ permanent }) => !permanent)
  return mayStartLater
    ? new OperatorError(`no engine could be started (${whys})`, ExitCode.lost)
    : new OperatorError(`no engine can be used on this machine (${whys})`, ExitCode.selfTest)
}

const total = ({ units }: CpuEngine): bigint => units.reduce((sum, { hashes }) => sum + hashes, 0n)

const describe = (kernels: Calibration["kernels"]): string =>
  kernels.map(({ name, hashesPerSecond }) => `${name} ${megahashes(hashesPerSecond)}`).join(", ")

const megahashes = (hashesPerSecond: number): string => `${(hashesPerSecond / 1e6).toFixed(2)} MH/s`
