/** How many CPUs this process really has, which ones, and which limit says so. */
import { cpus as systemCpus } from "node:os"
import type { Log } from "../log.ts"
import { readAffinity, threadAffinity } from "./affinity.ts"
import { ownCgroups, readCpuQuota, readCpuset } from "./cgroup.ts"
import { formatCpulist } from "./cpulist.ts"

export interface EffectiveCpus {
  /** CPUs' worth of work that can be done at once, at least 1: what workers are counted by, and the gauge. */
  readonly count: number
  /** The CPUs that may be used, ascending; more than `count` when a quota decides. */
  readonly cpus: readonly number[]
  /** The text of the cpuset that applies, undefined where there is none. */
  readonly mask: string | undefined
  /** The tightest limit. */
  readonly decidedBy: Limit
  /** CPU time allowed, in CPUs, with fractions; undefined when unlimited. */
  readonly quota: number | undefined
  readonly logicalCpus: number
  /** A sentence for each file that could not be understood, and so was left out of account. */
  readonly warnings: readonly string[]
}

export type Limit = "logical CPUs" | "cpuset" | "affinity" | "quota"

export interface DetectOptions {
  /** Where `/sys` and `/proc` are found. */
  readonly root?: string
  /** The machine's logical CPUs. */
  readonly logicalCpus?: number
  /** The main thread's affinity; where it is undefined, `/proc/self/status` is asked. */
  readonly affinity?: () => readonly number[] | undefined
}

/** Detects the effective CPUs and logs the mask, the count, what decided it, and what could not be understood. */
export async function detectEffectiveCpus(options: DetectOptions & { readonly log: Log }): Promise<EffectiveCpus> {
  const effective = await readEffectiveCpus(options)
  for (const warning of effective.warnings) options.log.warn(warning)
  options.log.debug(
    effective.mask === undefined
      ? "No cpuset mask detected; using full logical CPU count"
      : `Detected cpuset mask: ${effective.mask}`,
  )
  options.log.info(describeEffectiveCpus(effective))
  return effective
}

/** The same without a word, for the watch, which reads often and speaks only of changes. Never rejects. */
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
  // Without overlap one of the two changed between the readings, and the scheduler has the last word.
  const cpus = both.length > 0 ? both : allowed!
  const limits: [Limit, number][] = [
    ["logical CPUs", logicalCpus],
    ["cpuset", cpuset?.cpus.length ?? Infinity],
    ["affinity", cpus.length],
    // Whole CPUs: a worker on a part of one would be stopped in the middle of every period, and this thread with it.
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
