/** Opens the engines that the settings select: each has passed its self-test and is ready to start. */
import { join } from "node:path"
import { type Clock, sleep } from "../clock.ts"
import type { HashingSettings } from "../config/options.ts"
import { Interrupted } from "../engines/cpu/calibrate.ts"
import { fileCache } from "../engines/cpu/calibration-cache.ts"
import { type Choice, chooseEngine } from "../engines/cpu/choose.ts"
import { type CpuEngine, createCpuEngine } from "../engines/cpu/cpu-engine.ts"
import {
  aboutKernel,
  KERNELS,
  kernelNames,
  renderedKernel,
  usableFeatures,
  variantsOf,
} from "../engines/cpu/kernels.ts"
import { isNative, refusedByTrial } from "../engines/cpu/trial.ts"
import { loadTunings, TUNINGS_FILE, tunedRenderer } from "../engines/cpu/tuned-kernels.ts"
import type { Engine } from "../engines/engine.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { type CoreKind, describeKind, kindsAmong } from "../host/core-kinds.ts"
import { detectEffectiveCpus, type EffectiveCpus } from "../host/effective-cpus.ts"
import { host } from "../host/host.ts"
import { canMakeMachineCode } from "../host/machine-code.ts"
import type { Placement } from "../host/platform.ts"
import { affinityFor } from "../host/worker-affinity.ts"
import { resolveWorkers } from "../host/workers.ts"
import type { Log } from "../log.ts"
import type { UnitDetails } from "../observe/snapshot.ts"
import { version } from "../version.ts"
import { type Gpus, openGpus } from "./gpus.ts"

export interface OpenOptions {
  readonly settings: HashingSettings
  /** Directory for measurements; undefined if they are not stored. */
  readonly stateDir: string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Time for drivers to list their GPUs before CPUs start without them. */
const LISTING_MS = 1000

/** @throws OperatorError if no engine can hash or the settings cannot be met */
export async function openEngines(options: OpenOptions): Promise<OpenedEngines> {
  const { settings, log, clock } = options
  const kernels = kernelsOf(settings.engine)
  const cpus = await detectEffectiveCpus(host.effectiveCpus, log)
  const requested = settings.cpuWorkers
  const listing = openGpus(options)
  // A failure ends mining when the listing is awaited.
  listing.catch(() => {})
  // Without CPU workers there is nothing to begin with.
  const gpus = await Promise.race([listing, ...(requested === 0 ? [] : [sleep(clock, LISTING_MS)])])
  const workers = resolveWorkers({ requested, effective: cpus.count, gpus: gpus?.engines.length ?? 0, log })
  const placement = await host.placement(cpus.cpus)
  const kinds = await host.coreKinds()
  const different = kindsAmong(kinds, cpus.cpus)
  if (different.length > 0) log.info(`the cores differ: ${different.map(describeKind).join(", ")}`)
  const native = canMakeMachineCode()
  if (!native) log.warn(NO_MACHINE_CODE)
  const opened = new OpenedEngines(options, cpus, placement, gpus ?? listing, native, workers, kinds)
  if (workers > 0) await opened.openCpu(kernels, workers)
  return opened
}

const NO_MACHINE_CODE =
  "the system does not let this process create machine code (MemoryDenyWriteExecute=, SELinux, or a memory limit): " +
  "WebAssembly is interpreted, about 40 times slower, and CPU affinity is not set"

const NOT_KEPT =
  "measurements are not kept for the next start: no state directory is known (set --state-dir, HOME or StateDirectory=)"

export class OpenedEngines {
  /** Effective CPUs at the start. */
  readonly cpus: EffectiveCpus
  #effective: EffectiveCpus
  readonly #options: OpenOptions
  readonly #placement: Placement
  /** Of the whole machine. */
  readonly #kinds: readonly CoreKind[]
  readonly #canMakeMachineCode: boolean
  #cpu: CpuEngine | undefined
  /** Undefined while drivers list them. */
  #gpus: Gpus | undefined
  /** GPUs that were listed after the CPUs had started; undefined if there was no need to wait. */
  readonly #late: Promise<Gpus> | undefined
  /** Fallback kernels, fastest first. */
  #others: readonly string[] = []
  #calibrate: Choice["calibrate"]
  #affinity: readonly number[] | undefined
  #render: (kernel: string) => unknown = renderedKernel
  /** Workers that the CPUs have changed to, while no engine has been resized to them: its replacement takes them. */
  #pendingWorkers: number | undefined

  constructor(
    options: OpenOptions,
    cpus: EffectiveCpus,
    placement: Placement,
    gpus: Gpus | Promise<Gpus>,
    canMakeMachineCode: boolean,
    workers: number,
    kinds: readonly CoreKind[] = [],
  ) {
    this.#options = options
    this.#kinds = kinds
    this.cpus = this.#effective = cpus
    this.#placement = placement
    if (gpus instanceof Promise) this.#late = gpus
    else this.#gpus = gpus
    this.#canMakeMachineCode = canMakeMachineCode
    this.#affinity = this.#affinityIn(placement, cpus, workers)
  }

  get engines(): readonly Engine[] {
    return [...(this.#cpu ? [this.#cpu] : []), ...(this.#gpus?.engines ?? [])]
  }

  /**
   * The engines of GPUs whose drivers were slow to list them, not started, when they are listed. The number of CPU
   * workers is adapted to them.
   * @throws OperatorError as `openEngines`
   */
  async lateEngines(): Promise<readonly Engine[]> {
    const gpus = await this.#late
    if (!gpus) return []
    this.#gpus = gpus
    if (gpus.engines.length > 0) await this.follow(this.#effective)
    return gpus.engines
  }

  async openCpu(kernels: readonly string[], workers: number): Promise<void> {
    const { settings, stateDir, clock } = this.#options
    const { cores } = this.#placement
    const { model = "", microcode = "" } = await host.cpuInfo()
    if (stateDir !== undefined) {
      const tunings = loadTunings(join(stateDir, TUNINGS_FILE), { cpu: model, version }, this.#log)
      this.#render = tunedRenderer(tunings, this.#log)
    }
    const usable = await this.#tried(kernels)
    if (usable.length > 1) {
      const known = usable.map(name => `${name} (${aboutKernel(name)})`).join(", ")
      this.#log.info(`engines: ${known}; the fastest is kept, --recalibrate measures again`)
    }
    const { engine, others, calibrate } = await chooseEngine({
      kernels: usable,
      workers,
      // An explicit count is the operator's.
      fewerWorkers: settings.cpuWorkers === undefined && this.#affinity && workers > cores ? cores : undefined,
      kinds: this.#kindsOfWorkers(workers),
      createEngine: (kernel, workers, byCpu) => this.#createEngine(kernel, workers, byCpu),
      machine: {
        version,
        cpu: model,
        microcode,
        // Native code identifies the CPU, which is left alone if no kernel survived its trial.
        features: usable.some(isNative) ? usableFeatures() : [],
        native: this.#canMakeMachineCode,
        quota: this.cpus.quota ?? null,
      },
      cache: stateDir === undefined ? undefined : fileCache(join(stateDir, "calibration.json")),
      recalibrate: settings.recalibrate,
      clock,
      log: this.#log,
    })
    this.#cpu = engine
    this.#others = others
    this.#calibrate = calibrate
    if (calibrate && stateDir === undefined) this.#log.info(NOT_KEPT)
  }

  /**
   * Measures the CPU kernels if that is needed, and leaves the fastest one loaded; the engine may mine meanwhile. Settles
   * early if the engine is closed or replaced.
   * @param isPaused as in `CalibrateOptions`
   */
  async calibrate(isPaused?: () => boolean): Promise<void> {
    const engine = this.#cpu
    try {
      const others = await this.#calibrate?.(isPaused)
      if (others && this.#cpu === engine) this.#others = others
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
    }
  }

  /** Returns a replacement, not started, for an engine that can no longer hash; undefined if there is no fallback. */
  async replaceEngine(failed: Engine): Promise<Engine | undefined> {
    if (failed !== this.#cpu) return this.#gpus?.replace(failed)
    const [kernel, ...others] = this.#others
    this.#others = others
    const workers = this.#pendingWorkers ?? Math.max(1, failed.units.length)
    this.#cpu = kernel === undefined ? undefined : this.#createEngine(kernel, workers)
    return this.#cpu
  }

  /**
   * The CPU engine's kernel: its engine's name, or a variant of it; joined by `+` if kinds of core run different ones.
   * Undefined without CPU workers.
   */
  get kernel(): string | undefined {
    return this.#cpu?.kernels.join("+")
  }

  /** Static properties and sensor values of a unit. */
  details(unit: string): UnitDetails | undefined {
    const cpu = this.#cpu?.units.find(({ id }) => id === unit)?.cpu
    return cpu === undefined ? this.#gpus?.details(unit) : { cpu }
  }

  /** Adapts affinity and the number of CPU workers to the changed effective CPUs; an explicit number is only clamped. */
  async follow(cpus: EffectiveCpus): Promise<void> {
    if (!this.#cpu) return
    const { cpuWorkers: requested, cpuAffinity } = this.#options.settings
    this.#effective = cpus
    const gpus = this.#gpus?.engines.length ?? 0
    const { count: effective } = cpus
    const workers = Math.max(1, resolveWorkers({ requested, effective, gpus, log: this.#log }))
    this.#pendingWorkers = workers
    if (cpuAffinity !== "none") {
      this.#affinity = this.#affinityIn(await host.placement(cpus.cpus), cpus, workers)
      await this.#cpu?.moveWorkers(this.#affinity, cpus.cpus)
    }
    await this.#cpu?.resize(workers)
    // An engine that has failed keeps its size.
    if (!this.#cpu?.isClosed && this.#pendingWorkers === workers) this.#pendingWorkers = undefined
  }

  /** The kernels without those that crash this system's processes. @throws OperatorError if none are left */
  async #tried(kernels: readonly string[]): Promise<readonly string[]> {
    const refused = await refusedByTrial(kernels, { clock: this.#options.clock })
    for (const [name, why] of refused) this.#log.warn(`${name} is not used: ${why}`)
    const usable = kernels.filter(name => !refused.has(name))
    if (usable.length > 0) return usable
    const whys = [...refused].map(([name, why]) => `${name}: ${why}`).join("; ")
    throw new OperatorError(`no engine can be used on this machine (${whys})`, ExitCode.selfTest)
  }

  /** The kinds of core that workers are bound to; none if these are alike. */
  #kindsOfWorkers(workers: number): readonly CoreKind[] {
    const names = kindsAmong(this.#kinds, this.#affinity?.slice(0, workers) ?? []).map(({ name }) => name)
    return this.#kinds.filter(({ name }) => names.includes(name))
  }

  #createEngine(kernel: string, workers: number, byCpu?: ReadonlyMap<number, string>): CpuEngine {
    return createCpuEngine({
      kernel,
      byCpu,
      render: this.#render,
      workers,
      affinity: this.#affinity,
      random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
      clock: this.#options.clock,
      log: this.#log,
    })
  }

  #affinityIn({ order }: Placement, cpus: EffectiveCpus, workers: number): readonly number[] | undefined {
    if (!this.#canMakeMachineCode) return undefined
    const requested = this.#options.settings.cpuAffinity
    return affinityFor({ requested, order, cpus, bindsThreads: host.bindsThreads, workers, log: this.#log })
  }

  get #log(): Log {
    return this.#options.log.withTag("cpu")
  }
}

/**
 * The kernels to choose from for an `--engine`: those of the named engine, or of all.
 * @param variants the kernels of an engine that suit this CPU
 * @throws OperatorError (usage) for an unknown name
 */
export function kernelsOf(engine: string, variants: (engine: string) => readonly string[] = variantsOf): string[] {
  const names = Object.keys(KERNELS)
  if (engine === "auto") return kernelNames().flatMap(name => variants(name))
  if (names.includes(engine)) return [...variants(engine)]
  throw new OperatorError(
    `--engine ${engine} is unknown: available engines are auto, ${names.join(", ")}`,
    ExitCode.usage,
  )
}
