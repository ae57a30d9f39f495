/** How many CPU workers to run: one rule for every command. */
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"

export interface WorkerOptions {
  /** What the operator asked for, a whole number of 0 or more; undefined for the default. */
  readonly requested: number | undefined
  /** Effective CPUs, at least 1. */
  readonly effective: number
  /** GPUs that mine: the default leaves each a core to be fed from. */
  readonly gpus?: number
  readonly log: Log
}

/**
 * Half of the effective CPUs, clamped to [1, effective − 1]; 1 where there is one CPU. Beside GPUs at most the CPUs
 * that are left after one for each, which may be none.
 */
export function defaultWorkers(effective: number, gpus = 0): number {
  const half = Math.max(1, Math.floor(effective / 2))
  return gpus > 0 ? Math.max(0, Math.min(half, effective - gpus)) : half
}

/**
 * The number of CPU workers to run, never more than the effective CPUs; 0 only beside a GPU.
 *
 * @throws OperatorError (usage) when 0 was asked for and nothing else would mine
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
