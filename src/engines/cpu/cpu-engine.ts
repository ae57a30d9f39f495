/** The engine of one CPU kernel. */
import { workerEntry } from "../../worker-entry.ts"
import { ThreadEngine, type ThreadEngineOptions } from "../threads/thread-engine.ts"
import { engineOf, renderedKernel } from "./kernels.ts"

/** The kernel that a worker loads. */
export interface CpuTask {
  /** A name in the table of kernels. */
  readonly kernel: string
  /** The result of the recipe's `render`. */
  readonly rendered: unknown
}

export type CpuEngine = ThreadEngine<CpuTask>

export interface CpuEngineOptions
  extends Omit<ThreadEngineOptions<CpuTask>, "name" | "kind" | "firstUnit" | "entry" | "task"> {
  /** A name in the table of kernels. */
  readonly kernel: string
  /** A module that calls `serveCpuWorker`; the miner's own by default. */
  readonly entry?: string | URL
  /** Renders the kernel; from the miner's table by default. @throws UnsupportedKernel */
  readonly render?: (kernel: string) => unknown
}

/** Creates an engine whose units are `ENGINE/0`, `ENGINE/1`, … */
export function createCpuEngine(options: CpuEngineOptions): CpuEngine {
  const { kernel, entry = workerEntry("engines/cpu"), render = renderedKernel, ...rest } = options
  return new ThreadEngine({
    ...rest,
    name: engineOf(kernel),
    kind: "cpu",
    entry,
    task: () => ({ kernel, rendered: render(kernel) }),
  })
}
