/**
 * Measures the kernels on the workers that mine, one kernel after the other, and leaves the fastest one loaded. Measured
 * with all workers, because CPU frequencies drop if all cores run wide instructions. The same measurement serves each kind
 * of core: its workers' rates choose its kernel. The current work is searched meanwhile and its hashes count; without one
 * the workers search a rehearsal.
 */
import { type Clock, sleep } from "../../clock.ts"
import { type CoreKind, kindsAmong } from "../../host/core-kinds.ts"
import type { Log } from "../../log.ts"
import { U512_MAX } from "../../pow/u512.ts"
import { benchmarkWork } from "../benchmark-work.ts"
import { RefusedKernel } from "../engine.ts"
import type { Calibration } from "./calibration-cache.ts"
import type { CpuEngine, Reading } from "./cpu-engine.ts"
import { FALLBACK_OF } from "./kernels.ts"
import { isImplausible, type Ranking, Rates } from "./rates.ts"

export interface CalibrateOptions {
  /** Prepared; its kernel is the first candidate. */
  readonly engine: CpuEngine
  /** Kernels by name; of equally fast ones the first is chosen. */
  readonly candidates: readonly string[]
  /** A smaller number of workers to measure too. */
  readonly fewerWorkers?: number | undefined
  /** With more than one, each kind that has workers gets its own kernel. */
  readonly kinds?: readonly CoreKind[] | undefined
  /** While it is true nothing is measured and the workers rest. */
  readonly isPaused?: (() => boolean) | undefined
  readonly clock: Clock
  readonly log: Log
}

export interface Calibrated {
  readonly calibration: Calibration
  /** Why the next start should measure again; undefined if the measurement can be kept. */
  readonly doubt: string | undefined
}

/**
 * Run time of a kernel before its first measurement (the runtime optimizes WebAssembly meanwhile), and in each slice. The
 * best slice counts, because other load on the machine only slows slices down.
 */
const WARM_UP_MS = 80
const SLICE_MS = 40
const SLICES = 3

/** Time between two looks at a pause: workers rest that long after it begins. */
const LOOK_MS = 40

/** The doubt about a measurement that leaves out a kernel which may work at the next start. */
export const NOT_ALL = "not all kernels could be measured"

const TOO_BUSY = "this machine is too busy to measure all kernels"

/** The engine was closed during the calibration. */
export class Interrupted extends Error {
  override readonly name = "Interrupted"
}

/** Mining was paused during a measurement. */
class Paused extends Error {
  override readonly name = "Paused"
}

/** Rejects with Interrupted if the engine is closed meanwhile, and with another error if no kernel can be loaded any more. */
export async function calibrate(options: CalibrateOptions): Promise<Calibrated> {
  const { engine } = options
  try {
    return await new Calibrator(options).run()
  } finally {
    engine.rehearse(null)
  }
}

class Calibrator {
  readonly #options: CalibrateOptions
  /** The kinds of core that have workers; none if the workers' cores are alike. */
  readonly #kinds: readonly CoreKind[]
  /** One for each kind, or one for all workers. */
  readonly #rates: readonly Rates[]
  /** The kernel that all workers have; undefined after a failed load. */
  #loaded: string | undefined
  #doubt: string | undefined
  readonly #rehearsal = benchmarkWork(U512_MAX)

  constructor(options: CalibrateOptions) {
    const { engine, kinds = [] } = options
    this.#options = options
    this.#kinds = kinds.length > 0 ? kindsAmong(kinds, cpusOf(engine.units)) : []
    this.#rates = (this.#kinds.length > 0 ? this.#kinds : [undefined]).map(() => new Rates())
    this.#loaded = engine.kernel
  }

  async run(): Promise<Calibrated> {
    const { engine, candidates } = this.#options
    const [rates] = this.#rates
    for (const name of candidates) if (!rates!.has(FALLBACK_OF[name] ?? "")) await this.#measure(name)
    const unclear = new Set(this.#rates.flatMap(rates => rates.unclear))
    for (const name of rates!.names.filter(name => unclear.has(name))) await this.#measure(name)
    const isPlausible = this.#rates.every(rates => rates.areAllPlausible)
    if (!isPlausible) this.#doubt ??= TOO_BUSY
    const kernels = Rates.sum(this.#rates).ranking
    const kinds = this.#kinds.map(({ name }, i) => ({ name, kernels: this.#rates[i]!.ranking }))
    await this.#loadBest(kernels, isPlausible ? kinds : [])
    engine.adopt()
    const workers = await this.#settleWorkers()
    return { calibration: { kernels, workers, ...(kinds.length > 0 && { kinds }) }, doubt: this.#doubt }
  }

  async #measure(name: string): Promise<void> {
    await this.#awaitMining()
    if (!(await this.#load(name))) return
    const best = await this.#bestSlice()
    for (const [i, rates] of this.#rates.entries()) rates.add(name, best[i]!)
  }

  /** Waits while mining is paused, then lets workers without a work rehearse. */
  async #awaitMining(): Promise<void> {
    const { engine, isPaused } = this.#options
    while (isPaused?.()) {
      engine.rehearse(null)
      await this.#wait(LOOK_MS)
    }
    engine.rehearse(this.#rehearsal)
  }

  /** @returns false, with one log line, if the kernel is refused or its workers fail */
  async #load(name: string): Promise<boolean> {
    if (this.#loaded === name) return true
    this.#loaded = undefined
    if (await this.#succeeds(name, engine => engine.load(name))) this.#loaded = name
    return this.#loaded === name
  }

  async #succeeds(name: string, load: (engine: CpuEngine) => Promise<void>): Promise<boolean> {
    const { engine, log } = this.#options
    try {
      await load(engine)
      return true
    } catch (error) {
      if (engine.isClosed) throw new Interrupted()
      if (!isUnsupported(error)) this.#doubt ??= NOT_ALL
      logRefusal(log, name, error)
      return false
    }
  }

  /** Measures until no pause interrupts it. */
  async #bestSlice(): Promise<readonly number[]> {
    for (;;) {
      await this.#awaitMining()
      try {
        return await this.#slices()
      } catch (error) {
        if (!(error instanceof Paused)) throw error
      }
    }
  }

  /** By kind: load on one of them does not lower the rates of the others. */
  async #slices(): Promise<readonly number[]> {
    const { engine } = this.#options
    for (let warm = 0; warm < WARM_UP_MS; warm += LOOK_MS) await this.#hash(LOOK_MS)
    let best = this.#rates.map(() => 0)
    for (let slice = 0; slice < SLICES; slice++) {
      const before = engine.readings()
      await this.#hash(SLICE_MS)
      const after = engine.readings()
      best = best.map((rate, i) => Math.max(rate, rateBetween(before, this.#ofKind(i, after))))
    }
    return best
  }

  #ofKind(i: number, readings: readonly Reading[]): readonly Reading[] {
    const kind = this.#kinds[i]
    return kind ? readings.filter(({ cpu }) => cpu !== undefined && kind.cpus.includes(cpu)) : readings
  }

  /** Lets the workers hash for a time. @throws Paused if mining is paused meanwhile */
  async #hash(ms: number): Promise<void> {
    await this.#wait(ms)
    if (this.#options.isPaused?.()) throw new Paused()
  }

  async #wait(ms: number): Promise<void> {
    const { engine, clock } = this.#options
    await sleep(clock, ms)
    if (engine.isClosed) throw new Interrupted()
  }

  /** Loads the best kernel of each kind, or the best one of all. */
  async #loadBest(kernels: Ranking, kinds: NonNullable<Calibration["kinds"]>): Promise<void> {
    const byCpu = kernelsByCpu(kinds, this.#options.kinds)
    const names = [...new Set(byCpu.values())]
    const main = kernels[0]!.name
    if (names.some(name => name !== main)) {
      this.#loaded = undefined
      if (await this.#succeeds(names.join("+"), engine => engine.load(main, byCpu))) return
    }
    for (const { name } of kernels) if (await this.#load(name)) return
    throw new Error("no kernel could be loaded again")
  }

  /** Resizes the engine to the faster number of workers, unless its size was changed meanwhile. @returns the number */
  async #settleWorkers(): Promise<number> {
    const { engine, fewerWorkers, log } = this.#options
    const workers = engine.units.length
    if (fewerWorkers === undefined || fewerWorkers >= workers) return workers
    const all = add(this.#rates.map((rates, i) => rates.of(engine.kernelOn(this.#kinds[i]?.cpus[0]))))
    await engine.resize(fewerWorkers)
    const fewer = Math.max(add(await this.#bestSlice()), add(await this.#bestSlice()))
    if (isImplausible(fewer, all)) this.#doubt ??= TOO_BUSY
    const count = fewer > all ? fewerWorkers : workers
    log.info(
      `${workers} workers hash ${megahashes(all)}, ${fewerWorkers} (one for each core) ${megahashes(fewer)}: using ${count}`,
    )
    if (count !== fewerWorkers && engine.units.length === fewerWorkers) await engine.resize(count)
    return count
  }
}

const add = (rates: readonly number[]): number => rates.reduce((sum, rate) => sum + rate, 0)

/** The CPUs that workers are bound to. */
export const cpusOf = (units: CpuEngine["units"]): number[] =>
  units.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]))

/** The best kernel of each CPU whose kind was measured. @param kinds with all CPUs that workers may be moved to */
export const kernelsByCpu = (
  measured: Calibration["kinds"] = [],
  kinds: readonly CoreKind[] = [],
): ReadonlyMap<number, string> =>
  new Map(
    measured.flatMap(({ name, kernels }) =>
      (kinds.find(kind => kind.name === name)?.cpus ?? []).map(cpu => [cpu, kernels[0]!.name] as const),
    ),
  )

/** The workers' hashes per second of CPU time, or of time in the kernel; a worker that did not run counts as 0. */
export function rateBetween(before: readonly Reading[], after: readonly Reading[]): number {
  return after.reduce((sum, end) => {
    const start = before.find(({ worker }) => worker === end.worker)
    const ms = start ? msBetween(start, end) : 0
    return ms > 0 ? sum + (1000 * (end.hashes - start!.hashes)) / ms : sum
  }, 0)
}

/** CPU time, which leaves out what other programs took, or time in the kernel if the system does not report it. */
const msBetween = (start: Reading, end: Reading): number =>
  start.cpuMs === undefined || end.cpuMs === undefined ? end.busyMs - start.busyMs : end.cpuMs - start.cpuMs

/** Whether a kernel cannot run on this machine. Any other failure may be transient. */
export const isUnsupported = (error: unknown): boolean => error instanceof RefusedKernel && error.unsupported

/** Logs why a kernel is not used. */
export function logRefusal(log: Log, kernel: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error)
  if (!(error instanceof RefusedKernel)) log.warn(`${kernel} could not be started and is not used: ${why}`)
  else if (error.unsupported) log.info(`${kernel} is not used: ${why}`)
  else log.warn(`${kernel} failed its self-test and is not used: ${why}`)
}

export const megahashes = (hashesPerSecond: number): string => `${(hashesPerSecond / 1e6).toFixed(2)} MH/s`
