/**
 * Measures the kernels on the workers that mine, one kernel after the other, and leaves the fastest one loaded. Measured
 * with all workers, because CPU frequencies drop if all cores run wide instructions. The current work is searched meanwhile
 * and its hashes count; without one the workers search a rehearsal.
 */
import { type Clock, sleep } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { U512_MAX } from "../../pow/u512.ts"
import { benchmarkWork } from "../benchmark-work.ts"
import { RefusedKernel } from "../engine.ts"
import type { Calibration } from "./calibration-cache.ts"
import type { CpuEngine, Reading } from "./cpu-engine.ts"
import { FALLBACK_OF } from "./kernels.ts"

export interface CalibrateOptions {
  /** Prepared; its kernel is the first candidate. */
  readonly engine: CpuEngine
  /** Kernels by name; of equally fast ones the first is chosen. */
  readonly candidates: readonly string[]
  /** A smaller number of workers to measure too. */
  readonly fewerWorkers?: number | undefined
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

/** Kernels above this fraction of the highest rate are measured again, because load may have slowed one down. */
const CLOSE = 0.95

/** Kernels above this fraction after the second measurement count as equal: the first in the list is chosen. */
const ALIKE = 0.98

/** A kernel below this fraction of the highest rate was deprived of the CPU, so its measurement is invalid. */
const PLAUSIBLE = 0.02

/** The doubt about a measurement that leaves out a kernel which may work at the next start. */
export const NOT_ALL = "not all kernels could be measured"

const TOO_BUSY = "this machine is too busy to measure all kernels"

/** The engine was closed during the calibration. */
export class Interrupted extends Error {
  override readonly name = "Interrupted"
}

/** Rejects with Interrupted if the engine is closed meanwhile, and with another error if no kernel can be loaded any more. */
export async function calibrate(options: CalibrateOptions): Promise<Calibrated> {
  const { engine } = options
  engine.rehearse(benchmarkWork(U512_MAX))
  try {
    return await new Calibrator(options).run()
  } finally {
    engine.rehearse(null)
  }
}

class Calibrator {
  readonly #options: CalibrateOptions
  /** Hashes per second by kernel, in the order of the candidates. */
  readonly #rates = new Map<string, number>()
  /** The kernel that the workers have; undefined after a failed load. */
  #loaded: string | undefined
  #doubt: string | undefined

  constructor(options: CalibrateOptions) {
    this.#options = options
    this.#loaded = options.engine.kernel
  }

  async run(): Promise<Calibrated> {
    const { engine, candidates } = this.#options
    for (const name of candidates) if (!this.#rates.has(FALLBACK_OF[name] ?? "")) await this.#measure(name)
    for (const name of this.#unclear()) await this.#measure(name)
    if (!this.#allPlausible) this.#doubt ??= TOO_BUSY
    const ranking = this.#ranking()
    await this.#loadFirst(ranking.map(({ name }) => name))
    engine.adopt()
    const workers = await this.#settleWorkers()
    return { calibration: { kernels: ranking, workers }, doubt: this.#doubt }
  }

  async #measure(name: string): Promise<void> {
    if (!(await this.#load(name))) return
    await this.#sleep(WARM_UP_MS)
    this.#rates.set(name, Math.max(this.#rates.get(name) ?? 0, await this.#bestSlice()))
  }

  /** @returns false, with one log line, if the kernel is refused or its workers fail */
  async #load(name: string): Promise<boolean> {
    const { engine, log } = this.#options
    if (this.#loaded === name) return true
    this.#loaded = undefined
    try {
      await engine.load(name)
      this.#loaded = name
    } catch (error) {
      if (engine.isClosed) throw new Interrupted()
      if (!isUnsupported(error)) this.#doubt ??= NOT_ALL
      logRefusal(log, name, error)
    }
    return this.#loaded === name
  }

  async #bestSlice(): Promise<number> {
    const { engine } = this.#options
    let best = 0
    for (let slice = 0; slice < SLICES; slice++) {
      const before = engine.readings()
      await this.#sleep(SLICE_MS)
      best = Math.max(best, rateBetween(before, engine.readings()))
    }
    return best
  }

  async #sleep(ms: number): Promise<void> {
    const { engine, clock } = this.#options
    await sleep(clock, ms)
    if (engine.isClosed) throw new Interrupted()
  }

  get #highest(): number {
    return Math.max(...this.#rates.values())
  }

  get #allPlausible(): boolean {
    return [...this.#rates.values()].every(rate => rate > PLAUSIBLE * this.#highest)
  }

  /** Kernels to measure again: all if a measurement is invalid, else those that are close to the fastest. */
  #unclear(): string[] {
    const names = [...this.#rates.keys()]
    if (!this.#allPlausible) return names
    const close = names.filter(name => this.#rates.get(name)! >= CLOSE * this.#highest)
    return close.length > 1 ? close : []
  }

  /** Best first. */
  #ranking(): Calibration["kernels"] {
    const measured = [...this.#rates].map(([name, hashesPerSecond]) => ({ name, hashesPerSecond }))
    const best = measured.find(({ hashesPerSecond }) => hashesPerSecond >= ALIKE * this.#highest)!
    const rest = measured.filter(one => one !== best)
    return [best, ...rest.toSorted((a, b) => b.hashesPerSecond - a.hashesPerSecond)]
  }

  async #loadFirst(names: readonly string[]): Promise<void> {
    for (const name of names) if (await this.#load(name)) return
    throw new Error("no kernel could be loaded again")
  }

  /** Resizes the engine to the faster number of workers, unless its size was changed meanwhile. @returns the number */
  async #settleWorkers(): Promise<number> {
    const { engine, fewerWorkers, log } = this.#options
    const workers = engine.units.length
    if (fewerWorkers === undefined || fewerWorkers >= workers) return workers
    const all = this.#rates.get(engine.kernel)!
    await engine.resize(fewerWorkers)
    await this.#sleep(WARM_UP_MS)
    const fewer = Math.max(await this.#bestSlice(), await this.#bestSlice())
    if (fewer <= PLAUSIBLE * all) this.#doubt ??= TOO_BUSY
    const count = fewer > all ? fewerWorkers : workers
    log.info(
      `${workers} workers hash ${megahashes(all)}, ${fewerWorkers} (one for each core) ${megahashes(fewer)}: using ${count}`,
    )
    if (count !== fewerWorkers && engine.units.length === fewerWorkers) await engine.resize(count)
    return count
  }
}

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
  if (!(error instanceof RefusedKernel)) log.warn(`${kernel} is not used, it could not be started: ${why}`)
  else if (error.unsupported) log.info(`${kernel} is not used: ${why}`)
  else log.warn(`${kernel} is not used, it failed its self-test: ${why}`)
}

export const megahashes = (hashesPerSecond: number): string => `${(hashesPerSecond / 1e6).toFixed(2)} MH/s`
