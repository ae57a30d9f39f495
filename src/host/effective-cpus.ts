/** The CPUs available to this process, and the limit that determines their number. */
import { cpus as systemCpus } from "node:os"
import type { Log } from "../log.ts"
import { readAffinity, threadAffinity } from "./affinity.ts"
import { ownCgroups, readCpuQuota, readCpuset } from "./cgroup.ts"
import { formatCpulist } from "./cpulist.ts"

export interface EffectiveCpus {
  /** CPUs that can be busy at once, at least 1; bounds the number of workers. */
  readonly count: number
  /** Usable CPUs, ascending; more than `count` if a quota decides. */
  readonly cpus: readonly number[]
  /** Text of the cpuset that applies; undefined if absent. */
  readonly mask: string | undefined
  /** The tightest limit. */
  readonly decidedBy: Limit
  /** CPU time quota in CPUs, may be fractional; undefined if unlimited. */
  readonly quota: number | undefined
  readonly logicalCpus: number
  /** One message for each malformed file, which was ignored. */
  readonly warnings: readonly string[]
}

export type Limit = "logical CPUs" | "cpuset" | "affinity" | "quota"

export interface DetectOptions {
  /** Directory that holds `sys` and `proc`; `/` by default. */
  readonly root?: string
  /** Logical CPUs of the machine. */
  readonly logicalCpus?: number
  /** The main thread's affinity; if undefined, `/proc/self/status` is read. */
  readonly affinity?: () => readonly number[] | undefined
}

/** Detects the effective CPUs and logs the mask, the count with the limit that decides it, and warnings. */
export async function detectEffectiveCpus(options: DetectOptions & { readonly log: Log }): Promise<EffectiveCpus> {
  const effective = await readEffectiveCpus(options)
  for (const warning of effective.warnings) options.log.warn(warning)
  options.log.debug(
    effective.mask === undefined
      ? "no cpuset mask detected; using full logical CPU count"
      : `detected cpuset mask: ${effective.mask}`,
  )
  options.log.info(describeEffectiveCpus(effective))
  return effective
}

/** Detects the effective CPUs without logging. Never rejects. */
export async function readEffectiveCpus(options: DetectOptions = {}): Promise<EffectiveCpus> {
  const { root = "/", logicalCpus = Math.max(1, systemCpus().length), affinity = threadAffinity } = options
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const own = await ownCgroups(root)
  const cpuset = await readCpuset(root, own, warn)
  const quota = (await readCpuQuota(own, warn))?.cpus
  const allowed = affinity() ?? (await readAffinity(root))

  const usable = cpuset?.cpus ?? allowed ?? Array.from({ length: logicalCpus }, (_, cpu) => cpu)
  const both = allowed === undefined ? usable : usable.filter(cpu => allowed.includes(cpu))
  // Disjoint sets mean that one changed between the two readings; the affinity is what the scheduler applies.
  const cpus = both.length > 0 ? both : allowed!
  const limits: [Limit, number][] = [
    ["logical CPUs", logicalCpus],
    ["cpuset", cpuset?.cpus.length ?? Infinity],
    ["affinity", cpus.length],
    // Whole CPUs only: a worker on a fraction of a CPU would exhaust the quota and stop all threads in every period.
    ["quota", quota === undefined ? Infinity : Math.max(1, Math.floor(quota))],
  ]
  const [decidedBy, count] = limits.reduce((tightest, limit) => (limit[1] < tightest[1] ? limit : tightest))
  return { count, cpus, mask: cpuset?.text, decidedBy, quota, logicalCpus, warnings }
}

/** `2 effective CPUs of 8, decided by the quota of 2.5 CPUs`. */
export function describeEffectiveCpus(effective: EffectiveCpus): string {
  const { count, cpus, mask, decidedBy, quota, logicalCpus } = effective
  const by = {
    "logical CPUs": "the number of logical CPUs",
    cpuset: `the cpuset ${mask}`,
    affinity: `the affinity ${formatCpulist(cpus)}`,
    quota: `the quota of ${Number(quota?.toFixed(2))} CPUs`,
  }[decidedBy]
  return `${count} effective ${count === 1 ? "CPU" : "CPUs"} of ${logicalCpus}, decided by ${by}`
}
