/** The CPUs that workers are bound to, if any. */
import type { Log } from "../log.ts"
import { formatCpulist } from "./cpulist.ts"
import type { EffectiveCpus } from "./effective-cpus.ts"

/** CPUs in the order given; `auto`: decided by what the miner may use; `none`: the scheduler decides. */
export type CpuAffinity = "auto" | "none" | readonly number[]

export interface WorkerAffinityOptions {
  readonly requested: CpuAffinity
  /** The usable CPUs, best first. */
  readonly order: readonly number[]
  readonly cpus: Pick<EffectiveCpus, "cpus" | "decidedBy" | "logicalCpus" | "needsAffinity">
  /** Whether the system can restrict a thread to CPUs. */
  readonly bindsThreads: boolean
  /** CPU workers that are to mine. */
  readonly workers: number
  readonly log: Log
}

/**
 * CPUs for workers to take cyclically, in this order; undefined if the scheduler decides. One line says what was chosen
 * and why.
 */
export function affinityFor({
  requested,
  order,
  cpus,
  bindsThreads,
  workers,
  log,
}: WorkerAffinityOptions): readonly number[] | undefined {
  if (requested === "none") return undefined
  if (!bindsThreads) {
    if (requested !== "auto") log.warn("--cpu-affinity is ignored: this system does not bind threads to CPUs")
    return undefined
  }
  if (requested === "auto") {
    const { bind, why } = automatic(cpus, workers)
    const list = formatCpulist(order)
    log.info(bind ? `workers are bound to CPUs ${list}: ${why}` : `workers are not bound to CPUs: ${why}`)
    return bind ? order : undefined
  }
  const usable = requested.filter(cpu => order.includes(cpu))
  if (usable.length === requested.length) return usable
  const outside = formatCpulist(requested.filter(cpu => !order.includes(cpu)))
  const what = `--cpu-affinity ${formatCpulist(requested)} names CPUs that are not effective: ${outside}`
  if (usable.length === 0) log.warn(`${what}; the scheduler places the workers`)
  else log.warn(`${what}; the workers run on ${formatCpulist(usable)}`)
  return usable.length === 0 ? undefined : usable
}

/**
 * Binds workers only if the miner is alone on its CPUs: two miners that bind to the same first CPUs share them while others
 * idle, and so do containers that are limited by a quota.
 */
function automatic(
  { cpus, decidedBy, logicalCpus, needsAffinity }: WorkerAffinityOptions["cpus"],
  workers: number,
): { readonly bind: boolean; readonly why: string } {
  if (decidedBy === "quota") return { bind: false, why: "a quota limits CPU time, not CPUs" }
  if (cpus.length < logicalCpus) {
    return { bind: true, why: `a cpuset or affinity leaves ${cpus.length} of ${logicalCpus} CPUs to this process` }
  }
  if (needsAffinity) return { bind: true, why: "threads stay in one processor group unless they are moved" }
  if (workers >= cpus.length) return { bind: true, why: "there is a worker for each CPU" }
  return { bind: false, why: `${workers} of ${cpus.length} CPUs mine, and other programs may use any of them` }
}
