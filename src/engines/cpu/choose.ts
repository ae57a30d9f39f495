/**
 * Chooses the kernel that mines: the one that an earlier start measured as the fastest, else the first that passes its
 * self-test, until a calibration finds a faster one.
 */
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import { type CoreKind, describeKind, kindsAmong } from "../../host/core-kinds.ts"
import type { Log } from "../../log.ts"
import { RefusedKernel } from "../engine.ts"
import { calibrate, cpusOf, isUnsupported, kernelsByCpu, logRefusal, megahashes, NOT_ALL } from "./calibrate.ts"
import type { Calibration, CalibrationCache, CalibrationKey } from "./calibration-cache.ts"
import type { CpuEngine } from "./cpu-engine.ts"
import type { Ranking } from "./rates.ts"

export interface ChooseOptions {
  /** Kernels by name, usually fastest first; a single one is used without measurement. */
  readonly kernels: readonly string[]
  /** Workers that will mine. */
  readonly workers: number
  /** A smaller number of workers to measure too: one per core, if the others would run on second threads of a core. */
  readonly fewerWorkers?: number | undefined
  /** The kinds of core that workers are bound to, with all CPUs of the machine; none if the workers' cores are alike. */
  readonly kinds?: readonly CoreKind[]
  /** @param byCpu as in the engine's options */
  readonly createEngine: (kernel: string, workers: number, byCpu?: ReadonlyMap<number, string>) => CpuEngine
  readonly machine: Omit<CalibrationKey, "workers" | "candidates" | "kinds">
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
  /**
   * Measures the kernels on the engine, which may mine meanwhile, and leaves the best one loaded. Resolves to the others,
   * best first; rejects as `calibrate`. Undefined if there is nothing to measure.
   * @param isPaused as in `CalibrateOptions`
   */
  readonly calibrate: ((isPaused?: () => boolean) => Promise<readonly string[]>) | undefined
}

/** The reason why a kernel cannot be used. */
interface Refusal {
  readonly kernel: string
  readonly error: unknown
}

/**
 * @throws OperatorError if no kernel can be used: `selfTest` if all are refused, `lost` if workers of one could not be
 *   started, for lack of memory or threads
 */
export async function chooseEngine(options: ChooseOptions): Promise<Choice> {
  const { kernels, workers, fewerWorkers, kinds = [], machine } = options
  const counts = fewerWorkers === undefined ? [workers] : [workers, fewerWorkers]
  const names = kinds.length > 0 ? kinds.map(({ name }) => name) : undefined
  const key = { ...machine, candidates: kernels, workers: counts, kinds: names }
  const known = options.recalibrate || kernels.length === 1 ? undefined : loaded(options, key)
  if (known) return useKnown(options, known)
  const refusals: Refusal[] = []
  const { engine, others } = await firstUsable(options, kernels, workers, refusals)
  const isMeasured = kernels.length > 1 || fewerWorkers !== undefined
  return {
    engine,
    others,
    calibrate: isMeasured ? isPaused => measured(options, key, engine, others, refusals, isPaused) : undefined,
  }
}

/** The calibration of an earlier start; a line says why one that exists is not used. */
function loaded({ cache, log }: ChooseOptions, key: CalibrationKey): Calibration | undefined {
  const found = cache?.load(key)
  if (found?.kind === "valid") return found.value
  if (found?.kind === "refused") log.info(`the stored calibration ${found.why}: kernels are measured again`)
  return undefined
}

/** Uses the ranking of an earlier start, followed by kernels that it lacks. */
async function useKnown(options: ChooseOptions, { kernels, workers, kinds }: Calibration): Promise<Choice> {
  const ranked = kernels.map(({ name }) => name)
  options.log.info(
    `${options.machine.cpu || "this CPU"}: ${describe(kernels)} at an earlier start (--recalibrate measures again)`,
  )
  const all = [...ranked, ...options.kernels.filter(name => !ranked.includes(name))]
  const byCpu = kernelsByCpu(kinds, options.kinds)
  const engine = await createByCpu(options, all[0]!, workers, byCpu)
  if (engine) {
    for (const kind of kindsAmong(options.kinds ?? [], cpusOf(engine.units))) {
      options.log.info(`${describeKind(kind)}: using ${engine.kernelOn(kind.cpus[0])}`)
    }
    return { engine, others: all.slice(1), calibrate: undefined }
  }
  return { ...(await firstUsable(options, all, workers, [])), calibrate: undefined }
}

/** An engine whose workers run the kernels of their CPUs; undefined if they are alike, or if one cannot be used. */
async function createByCpu(
  { createEngine, log }: ChooseOptions,
  kernel: string,
  workers: number,
  byCpu: ReadonlyMap<number, string>,
): Promise<CpuEngine | undefined> {
  if (byCpu.size === 0) return undefined
  const engine = createEngine(kernel, workers, byCpu)
  try {
    await engine.prepare()
    return engine
  } catch (error) {
    logRefusal(log, [...new Set(byCpu.values())].join("+"), error)
    return undefined
  }
}

async function firstUsable(
  options: ChooseOptions,
  kernels: readonly string[],
  workers: number,
  refusals: Refusal[],
): Promise<Omit<Choice, "calibrate">> {
  for (const [i, name] of kernels.entries()) {
    const engine = options.createEngine(name, workers)
    try {
      await engine.prepare()
      return { engine, others: kernels.slice(i + 1) }
    } catch (error) {
      refusals.push({ kernel: name, error })
      logRefusal(options.log, name, error)
    }
  }
  throw noneUsable(refusals)
}

async function measured(
  options: ChooseOptions,
  key: CalibrationKey,
  engine: CpuEngine,
  others: readonly string[],
  refusals: readonly Refusal[],
  isPaused: (() => boolean) | undefined,
): Promise<readonly string[]> {
  const { fewerWorkers, kinds: allKinds, clock, log, machine } = options
  const { units } = engine
  const candidates = [engine.kernel, ...others]
  const { calibration, doubt } = await calibrate({
    engine,
    candidates,
    fewerWorkers,
    kinds: allKinds,
    isPaused,
    clock,
    log,
  })
  const { kernels, kinds = [] } = calibration
  const using = (what: string, kernels: Ranking, workers: number, kernel: string) => {
    const count = `${workers} ${workers === 1 ? "worker" : "workers"}`
    log.info(`${what}: ${describe(kernels)} on ${count}; using ${kernel}`)
  }
  if (kinds.length === 0) using(machine.cpu || "this CPU", kernels, units.length, engine.kernel)
  for (const { name, kernels } of kinds) {
    const cpus = cpusOf(units)
    const kind = kindsAmong(allKinds ?? [], cpus).find(kind => kind.name === name)
    // Absent if its workers were moved meanwhile.
    if (kind) {
      const workers = cpus.filter(cpu => kind.cpus.includes(cpu)).length
      using(describeKind(kind), kernels, workers, engine.kernelOn(kind.cpus[0]))
    }
  }
  // A kernel that failed its self-test once may pass it at the next start.
  const why = doubt ?? (refusals.every(({ error }) => isUnsupported(error)) ? undefined : NOT_ALL)
  if (why !== undefined) log.warn(`${why}: the next start measures again`)
  else if (key.candidates.length > 1) save(options, key, calibration)
  const ranking = kernels.map(({ name }) => name)
  const unmeasured = others.filter(name => !ranking.includes(name))
  return [...ranking, ...unmeasured].filter(name => name !== engine.kernel)
}

function save({ cache, log }: ChooseOptions, key: CalibrationKey, calibration: Calibration): void {
  if (!key.workers.includes(calibration.workers)) return
  // Workers may have been moved before they were measured.
  if (calibration.kinds?.map(({ name }) => name).join() !== key.kinds?.join()) return
  try {
    cache?.save(key, calibration)
  } catch (error) {
    log.info(`measurements are not kept for the next start: ${(error as Error).message}`)
  }
}

/** Workers that failed to start for lack of memory or threads may start next time; a refused kernel will not. */
function noneUsable(refusals: readonly Refusal[]): OperatorError {
  const whys = refusals
    .map(({ kernel, error }) => `${kernel}: ${error instanceof Error ? error.message : String(error)}`)
    .join("; ")
  const mayStartLater = refusals.some(({ error }) => !(error instanceof RefusedKernel))
  return mayStartLater
    ? new OperatorError(`no engine could be started (${whys})`, ExitCode.lost)
    : new OperatorError(`no engine can be used on this machine (${whys})`, ExitCode.selfTest)
}

const describe = (kernels: Ranking): string =>
  kernels.map(({ name, hashesPerSecond }) => `${name} ${megahashes(hashesPerSecond)}`).join(", ")
