/** What hashes here: the effective CPUs, and the engines that the settings ask for, proved and ready to start. */
import { join } from "node:path"
import type { Clock } from "../clock.ts"
import type { HashingSettings } from "../config/options.ts"
import { fileCache } from "../engines/cpu/calibration-cache.ts"
import { chooseEngine } from "../engines/cpu/choose.ts"
import { type CpuEngine, createCpuEngine } from "../engines/cpu/cpu-engine.ts"
import { KERNELS } from "../engines/cpu/kernels.ts"
import type { Engine } from "../engines/engine.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { readCpuInfo } from "../host/cpu-info.ts"
import { detectEffectiveCpus, type EffectiveCpus } from "../host/effective-cpus.ts"
import { canMakeMachineCode } from "../host/machine-code.ts"
import { pinsFor } from "../host/pins.ts"
import { type Placement, readPlacement } from "../host/topology.ts"
import { defaultWorkers, resolveWorkers } from "../host/workers.ts"
import type { Log } from "../log.ts"
import type { UnitDetails } from "../observe/snapshot.ts"
import { version } from "../version.ts"
import { type Gpus, openGpus } from "./gpus.ts"

export interface MachineOptions {
  readonly settings: HashingSettings
  /** Where measurements are kept; undefined: they are not. */
  readonly stateDir: string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** @throws OperatorError where nothing can hash, or not as it was asked for */
export async function openMachine(options: MachineOptions): Promise<Machine> {
  const { settings, log } = options
  const kernels = kernelsOf(settings.engine)
  const cpus = await detectEffectiveCpus({ log })
  const gpus = openGpus(options)
  const requested = settings.cpuWorkers
  const workers = resolveWorkers({ requested, effective: cpus.count, gpus: gpus.engines.length, log })
  const placement = await readPlacement(cpus.cpus)
  const native = canMakeMachineCode()
  if (!native) log.warn(NO_MACHINE_CODE)
  const machine = new Machine(options, cpus, placement, gpus, native)
  if (workers > 0) await machine.openCpu(kernels, workers)
  return machine
}

const NO_MACHINE_CODE =
  "the system lets this process make no machine code (MemoryDenyWriteExecute=, SELinux, or a limit on its memory): " +
  "WebAssembly is interpreted, some 40 times slower, and workers are not pinned"

export class Machine {
  #cpu: CpuEngine | undefined
  /** Kernels to fall back on, the best first. */
  #others: readonly string[] = []
  #pins: readonly number[] | undefined

  constructor(
    private readonly options: MachineOptions,
    /** As they were at the start. */
    readonly cpus: EffectiveCpus,
    private readonly placement: Placement,
    readonly gpus: Gpus,
    /** Whether machine code can be made here. */
    private readonly native: boolean,
  ) {
    this.#pins = this.#pinsIn(placement)
  }

  get engines(): readonly Engine[] {
    return this.#cpu ? [this.#cpu, ...this.gpus.engines] : this.gpus.engines
  }

  async openCpu(kernels: readonly string[], workers: number): Promise<void> {
    const { settings, stateDir, clock } = this.options
    const { cores } = this.placement
    const { model = "", microcode = "" } = await readCpuInfo()
    const { engine, others } = await chooseEngine({
      kernels,
      workers,
      fewerWorkers: settings.cpuAffinity === "auto" && workers > cores ? cores : undefined,
      createEngine: (kernel, workers) => this.#createEngine(kernel, workers),
      machine: { cpu: model, microcode, version, native: this.native },
      cache: stateDir === undefined ? undefined : fileCache(join(stateDir, "calibration.json")),
      recalibrate: settings.recalibrate,
      clock,
      log: this.#log,
    })
    this.#cpu = engine
    this.#others = others
  }

  /** Another engine for one that cannot hash any more, not started; undefined where there is none. */
  async replaceEngine(failed: Engine): Promise<Engine | undefined> {
    if (failed !== this.#cpu) return this.gpus.replace(failed)
    const [kernel, ...others] = this.#others
    this.#others = others
    this.#cpu = kernel === undefined ? undefined : this.#createEngine(kernel, Math.max(1, failed.units.length))
    return this.#cpu
  }

  /** What is known of a unit beside its counters. */
  details(unit: string): UnitDetails | undefined {
    const cpu = this.#cpu?.units.find(({ id }) => id === unit)?.cpu
    return cpu === undefined ? this.gpus.details(unit) : { cpu }
  }

  /** Lets the CPU workers follow other effective CPUs: where they are pinned, and their number unless it was given. */
  async follow({ count, cpus }: EffectiveCpus): Promise<void> {
    if (this.options.settings.cpuAffinity !== "none") {
      this.#pins = this.#pinsIn(await readPlacement(cpus))
      this.#cpu?.repin(this.#pins, cpus)
    }
    if (this.options.settings.cpuWorkers === undefined) {
      await this.#cpu?.resize(Math.max(1, defaultWorkers(count, this.gpus.engines.length)))
    }
  }

  #createEngine(kernel: string, workers: number): CpuEngine {
    return createCpuEngine({
      kernel,
      workers,
      affinity: this.#pins,
      random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
      clock: this.options.clock,
      log: this.#log,
    })
  }

  #pinsIn({ order }: Placement): readonly number[] | undefined {
    if (!this.native) return undefined
    return pinsFor({ asked: this.options.settings.cpuAffinity, effective: order, log: this.#log })
  }

  get #log(): Log {
    return this.options.log.withTag("cpu")
  }
}

/** @throws OperatorError (usage) for a name that no kernel has */
function kernelsOf(engine: string): readonly string[] {
  const names = Object.keys(KERNELS)
  if (engine === "auto") return names
  if (names.includes(engine)) return [engine]
  throw new OperatorError(`--engine ${engine} is unknown: there are auto, ${names.join(", ")}`, ExitCode.usage)
}
