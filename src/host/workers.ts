/** The number of CPU workers, by the same rule for every command. */
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"

export interface WorkerOptions {
  /** The operator's explicit count, an integer of at least 0; undefined: the default. */
  readonly requested: number | undefined
  /** Effective CPUs, at least 1. */
  readonly effective: number
  /** GPUs that mine; the default leaves one CPU for each. */
  readonly gpus?: number
  readonly log: Log
}

/**
 * Half of the effective CPUs, at least 1. With GPUs, at most the CPUs that are left after one for each GPU, possibly 0.
 */
export function defaultWorkers(effective: number, gpus = 0): number {
  const half = Math.max(1, Math.floor(effective / 2))
  return gpus > 0 ? Math.max(0, Math.min(half, effective - gpus)) : half
}

/**
 * The number of CPU workers to run: at most the effective CPUs; 0 only with a GPU.
 *
 * @throws OperatorError (usage) if 0 is requested and no GPU mines
 */
export function resolveWorkers({ requested, effective, gpus = 0, log }: WorkerOptions): number {
  if (requested === undefined) return defaultWorkers(effective, gpus)
  if (requested === 0 && gpus === 0) {
    throw new OperatorError(
      "--cpu-workers 0 leaves nothing to mine with: give at least 1, or a GPU by --gpu-devices",
      ExitCode.usage,
    )
  }
  if (requested > effective) {
    log.warn(`${requested} CPU workers are more than the effective CPUs, ${effective}: running ${effective}`)
  }
  return Math.min(requested, effective)
}
