/** An engine of CPU workers, which run the same kernel, or that of their CPU. */
import { workerEntry } from "../../worker-entry.ts"
import { RefusedKernel } from "../engine.ts"
import type { ThreadEngineOptions } from "../threads/options.ts"
import { ThreadEngine } from "../threads/thread-engine.ts"
import { engineOf, renderedKernel } from "./kernels.ts"

/** The kernel that a worker loads. */
export interface CpuTask {
  /** A name in the table of kernels. */
  readonly kernel: string
  /** The result of the recipe's `render`. */
  readonly rendered: unknown
}

export interface CpuEngineOptions
  extends Omit<ThreadEngineOptions<CpuTask>, "name" | "kind" | "firstUnit" | "entry" | "task"> {
  /** A name in the table of kernels. */
  readonly kernel: string
  /** Other kernels for workers on these CPUs. */
  readonly byCpu?: ReadonlyMap<number, string> | undefined
  /** A module that calls `serveCpuWorker`; the miner's own by default. */
  readonly entry?: string | URL
  /** Renders the kernel; from the miner's table by default. @throws UnsupportedKernel */
  readonly render?: (kernel: string) => unknown
}

/** What a worker has done so far. */
export interface Reading {
  /** Differs between workers, and between a worker and its replacement. */
  readonly worker: number
  readonly hashes: number
  /** Milliseconds spent in the kernel, which include the time that the thread waited for a CPU. */
  readonly busyMs: number
  /** CPU time of the thread in milliseconds; undefined if the system does not report it. */
  readonly cpuMs?: number | undefined
  /** The CPU that it is bound to. */
  readonly cpu?: number | undefined
}

/** Creates an engine whose units are `ENGINE/0`, `ENGINE/1`, … */
export const createCpuEngine = (options: CpuEngineOptions): CpuEngine => new CpuEngine(options)

export class CpuEngine extends ThreadEngine<CpuTask> {
  readonly #render: (kernel: string) => unknown
  #kernel: string
  #byCpu: ReadonlyMap<number, string>

  constructor(options: CpuEngineOptions) {
    const { kernel, byCpu = NONE, entry = workerEntry("engines/cpu"), render = renderedKernel, ...rest } = options
    super({ ...rest, name: engineOf(kernel), kind: "cpu", entry, task: tasksFor(kernel, byCpu, render) })
    this.#render = render
    this.#kernel = kernel
    this.#byCpu = byCpu
    this.adopt()
  }

  /** The kernel that was loaded last, or the one of it for CPUs without another. */
  get kernel(): string {
    return this.#kernel
  }

  /** The kernel that was loaded last for workers on a CPU. @param cpu undefined: for workers that are not bound */
  kernelOn(cpu: number | undefined): string {
    return kernelIn(this.#kernel, this.#byCpu, cpu)
  }

  /** The kernels of the workers, without repetitions. */
  get kernels(): readonly string[] {
    return [...new Set(this.units.map(({ cpu }) => this.kernelOn(cpu)))]
  }

  /**
   * Loads another kernel into the same workers; the work continues with it. The engine keeps its name until `adopt`.
   * Rejects as `retask`; the workers then have no kernel until another one is loaded.
   * @param byCpu other kernels for workers on these CPUs
   */
  async load(kernel: string, byCpu: ReadonlyMap<number, string> = NONE): Promise<void> {
    const render = (name: string) => {
      const rendered = this.#render(name)
      // Rendering leaves megabytes behind, which the workers can use.
      Bun.gc(true)
      return rendered
    }
    await this.retask(tasksFor(kernel, byCpu, render))
    this.#kernel = kernel
    this.#byCpu = byCpu
  }

  /** Names each unit after the engine of its loaded kernel. */
  adopt(): void {
    const [kernel, byCpu] = [this.#kernel, this.#byCpu]
    this.rename(cpu => engineOf(kernelIn(kernel, byCpu, cpu)))
  }

  /** Workers whose new CPU has another kernel load it; if it is refused, all workers load the one for other CPUs. */
  override async moveWorkers(affinity: readonly number[] | undefined, allowed: readonly number[]): Promise<void> {
    const followed = super.moveWorkers(affinity, allowed)
    try {
      await followed
    } catch (error) {
      // A worker that died or was late is replaced.
      if (!(error instanceof RefusedKernel) || this.isClosed) return
      await this.load(this.#kernel)
      this.adopt()
    }
  }

  /** One reading for each worker that runs. */
  readings(): Reading[] {
    return this.units.flatMap(unit => {
      if (!unit.current?.ready) return []
      const { index, hashes, busyMs } = unit.current.slot
      return [{ worker: index, hashes: Number(hashes), busyMs, cpuMs: unit.activity?.cpuMs, cpu: unit.cpu }]
    })
  }
}

const NONE: ReadonlyMap<number, string> = new Map()

const kernelIn = (kernel: string, byCpu: ReadonlyMap<number, string>, cpu: number | undefined): string =>
  (cpu === undefined ? undefined : byCpu.get(cpu)) ?? kernel

/** The task of workers on a CPU: one object for each kernel, rendered at the first call. */
function tasksFor(
  kernel: string,
  byCpu: ReadonlyMap<number, string>,
  render: (kernel: string) => unknown,
): (cpu: number | undefined) => CpuTask {
  const tasks = new Map<string, CpuTask>()
  return cpu => {
    const name = kernelIn(kernel, byCpu, cpu)
    const task = tasks.get(name) ?? { kernel: name, rendered: render(name) }
    tasks.set(name, task)
    return task
  }
}
