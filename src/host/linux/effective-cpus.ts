/** The effective CPUs on Linux: control groups, affinity and quota. */
import type { EffectiveCpus, Limit } from "../effective-cpus.ts"
import { logicalCpuCount } from "../portable.ts"
import { readAffinity, threadAffinity } from "./affinity.ts"
import { ownCgroups, readCpuQuota, readCpuset } from "./cgroup.ts"

export interface DetectOptions {
  /** Directory that holds `sys` and `proc`; `/` by default. */
  readonly root?: string
  /** Logical CPUs of the machine. */
  readonly logicalCpus?: number
  /** The main thread's affinity; if undefined, `/proc/self/status` is read. */
  readonly affinity?: () => readonly number[] | undefined
}

/** Never rejects. */
export async function readEffectiveCpus(options: DetectOptions = {}): Promise<EffectiveCpus> {
  const { root = "/", logicalCpus = logicalCpuCount(), affinity = threadAffinity } = options
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
