/** What hashes here: the effective CPUs, and the engines that the settings ask for, proved and ready to start. */
import type { Clock } from "../clock.ts"
import type { HashingSettings } from "../config/options.ts"
import { CpuEngine } from "../engines/cpu/cpu-engine.ts"
import { KERNELS } from "../engines/cpu/kernels.ts"
import { RefusedKernel } from "../engines/cpu/worker-thread.ts"
import type { Engine } from "../engines/engine.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { detectEffectiveCpus, type EffectiveCpus } from "../host/effective-cpus.ts"
import { readPlacement } from "../host/topology.ts"
import { defaultWorkers, resolveWorkers } from "../host/workers.ts"
import type { Log } from "../log.ts"

export interface MachineOptions {
  readonly settings: HashingSettings
  readonly clock: Clock
  readonly log: Log
}

export async function openMachine({ settings, clock, log }: MachineOptions): Promise<Machine> {
  const cpus = await detectEffectiveCpus({ log })
  const workers = resolveWorkers({ requested: settings.cpuWorkers, effective: cpus.count, log })
  const machine = new Machine(cpus, settings, { clock, log: log.withTag("cpu") })
  await machine.open(workers)
  return machine
}

export class Machine {
  #engines: Engine[] = []
  #cpu: CpuEngine | undefined
  /** Kernels that were not tried yet, the best first. */
  readonly #kernels: string[]

  constructor(
    readonly cpus: EffectiveCpus,
    private readonly settings: HashingSettings,
    private readonly context: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#kernels = kernelsFor(settings.engine)
  }

  /** @throws OperatorError (self-test) where no engine can hash */
  async open(workers: number): Promise<void> {
    this.#cpu = await this.#nextCpuEngine(workers)
    if (!this.#cpu) throw new OperatorError("no engine can hash here, for the reasons above", ExitCode.selfTest)
    this.#engines = [this.#cpu]
  }

  get engines(): readonly Engine[] {
    return this.#engines
  }

  /** Another engine for one that cannot hash any more, not started; undefined where there is none. */
  async replaceEngine(failed: Engine): Promise<Engine | undefined> {
    if (failed !== this.#cpu) return undefined
    this.#cpu = await this.#nextCpuEngine(failed.units.length)
    return this.#cpu
  }

  /** Lets the CPU workers follow other effective CPUs, unless their number was given. */
  async follow({ count }: EffectiveCpus): Promise<void> {
    if (this.settings.cpuWorkers === undefined) await this.#cpu?.resize(defaultWorkers(count))
  }

  async #nextCpuEngine(workers: number): Promise<CpuEngine | undefined> {
    const { clock, log } = this.context
    const affinity = await this.#affinity()
    for (let kernel = this.#kernels.shift(); kernel !== undefined; kernel = this.#kernels.shift()) {
      const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
      const engine = new CpuEngine({ kernel, workers, affinity, random, clock, log })
      try {
        await engine.prepare()
        log.info(`${kernel} on ${workers} ${workers === 1 ? "worker" : "workers"}`)
        return engine
      } catch (error) {
        if (!(error instanceof RefusedKernel)) throw error
        if (error.unsupported) log.info(`${kernel} cannot run here: ${error.message}`)
        else log.error(`${kernel} is refused: its self-test found ${error.message}`)
      }
    }
    return undefined
  }

  async #affinity(): Promise<readonly number[] | undefined> {
    const { cpuAffinity } = this.settings
    if (cpuAffinity === "none") return undefined
    return cpuAffinity === "auto" ? (await readPlacement(this.cpus.cpus)).order : cpuAffinity
  }
}

/** @throws OperatorError (usage) for a name that no kernel has */
function kernelsFor(engine: string): string[] {
  const names = Object.keys(KERNELS)
  if (engine === "auto") return names
  if (names.includes(engine)) return [engine]
  throw new OperatorError(`--engine ${engine} is unknown: there are auto, ${names.join(", ")}`, ExitCode.usage)
}
