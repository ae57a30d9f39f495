/** The CPUs available to this process, and the limit that determines their number. */
import type { Log } from "../log.ts"
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
  /** Whether threads without an affinity stay on a part of `cpus`: older Windows keeps them in one group of up to 64 CPUs. */
  readonly needsAffinity?: boolean
  /** One message for each malformed file, which was ignored. */
  readonly warnings: readonly string[]
}

export type Limit = "logical CPUs" | "cpuset" | "affinity" | "quota"

/** All CPUs of a machine without limits. */
export const allLogicalCpus = (logicalCpus: number): EffectiveCpus => ({
  count: logicalCpus,
  cpus: Array.from({ length: logicalCpus }, (_, cpu) => cpu),
  mask: undefined,
  decidedBy: "logical CPUs",
  quota: undefined,
  logicalCpus,
  warnings: [],
})

/** Reads the effective CPUs and logs the mask, the count with the limit that decides it, and warnings. */
export async function detectEffectiveCpus(read: () => Promise<EffectiveCpus>, log: Log): Promise<EffectiveCpus> {
  const effective = await read()
  for (const warning of effective.warnings) log.warn(warning)
  log.debug(
    effective.mask === undefined
      ? "no cpuset mask detected; using full logical CPU count"
      : `detected cpuset mask: ${effective.mask}`,
  )
  log.info(describeEffectiveCpus(effective))
  return effective
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
