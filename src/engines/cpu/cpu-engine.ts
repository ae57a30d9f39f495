/** An engine of CPU workers, all of which run the same kernel. */
import { workerEntry } from "../../worker-entry.ts"
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
}

/** Creates an engine whose units are `ENGINE/0`, `ENGINE/1`, … */
export const createCpuEngine = (options: CpuEngineOptions): CpuEngine => new CpuEngine(options)

export class CpuEngine extends ThreadEngine<CpuTask> {
  readonly #render: (kernel: string) => unknown
  #kernel: string

  constructor(options: CpuEngineOptions) {
    const { kernel, entry = workerEntry("engines/cpu"), render = renderedKernel, ...rest } = options
    super({
      ...rest,
      name: engineOf(kernel),
      kind: "cpu",
      entry,
      task: () => ({ kernel, rendered: render(kernel) }),
    })
    this.#render = render
    this.#kernel = kernel
  }

  /** The kernel that was loaded last. */
  get kernel(): string {
    return this.#kernel
  }

  /**
   * Loads another kernel into the same workers; the work continues with it. The engine keeps its name until `adopt`.
   * Rejects as `retask`; the workers then have no kernel until another one is loaded.
   */
  async load(kernel: string): Promise<void> {
    await this.retask(() => {
      const rendered = this.#render(kernel)
      // Rendering leaves megabytes behind, which the workers can use.
      Bun.gc(true)
      return { kernel, rendered }
    })
    this.#kernel = kernel
  }

  /** Names the engine and its units after the loaded kernel. */
  adopt(): void {
    this.rename(engineOf(this.#kernel))
  }

  /** One reading for each worker that runs. */
  readings(): Reading[] {
    return this.units.flatMap(unit => {
      if (!unit.current?.ready) return []
      const { index, hashes, busyMs } = unit.current.slot
      return [{ worker: index, hashes: Number(hashes), busyMs, cpuMs: unit.activity?.cpuMs }]
    })
  }
}
