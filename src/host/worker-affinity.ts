/** The CPUs that workers run on: those requested, as far as this process may use them. */
import type { Log } from "../log.ts"
import { formatCpulist } from "./cpulist.ts"

/** CPUs in the order given; `auto`: all effective CPUs; `none`: the scheduler decides. */
export type CpuAffinity = "auto" | "none" | readonly number[]

export interface WorkerAffinityOptions {
  readonly requested: CpuAffinity
  /** The effective CPUs, best first. */
  readonly effective: readonly number[]
  readonly log: Log
}

/** CPUs for workers to take cyclically, in this order; undefined if the scheduler decides. */
export function affinityFor({ requested, effective, log }: WorkerAffinityOptions): readonly number[] | undefined {
  if (requested === "none") return undefined
  if (requested === "auto") return effective
  const usable = requested.filter(cpu => effective.includes(cpu))
  if (usable.length === requested.length) return usable
  const outside = formatCpulist(requested.filter(cpu => !effective.includes(cpu)))
  const what = `--cpu-affinity ${formatCpulist(requested)} names CPUs that are not effective: ${outside}`
  if (usable.length === 0) log.warn(`${what}; the scheduler places the workers`)
  else log.warn(`${what}; the workers run on ${formatCpulist(usable)}`)
  return usable.length === 0 ? undefined : usable
}
