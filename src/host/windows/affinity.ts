/** CPU affinity of threads, effective CPUs, the order in which workers take them, and the kinds of their cores. */
import { type CoreKind, kindsBySpeed } from "../core-kinds.ts"
import { allLogicalCpus, type EffectiveCpus } from "../effective-cpus.ts"
import { placementOf } from "../placement.ts"
import type { Placement } from "../platform.ts"
import { logicalCpuCount } from "../portable.ts"
import { jobQuota } from "./job.ts"
import { cpusIn, type GroupMask, groupMasks, type Processors, systemProcessors } from "./processors.ts"

/** The system's id of the calling thread; undefined if `bun:ffi` is refused. */
export const currentThreadId = (): number | undefined => systemProcessors()?.currentThreadId()

/**
 * Restricts a thread to `cpus`, or to those of the group that has most of them: a thread is in one group.
 * @param threadId from `currentThreadId`; undefined: the calling thread
 * @returns false if the system refuses; the affinity is unchanged
 * @throws RangeError if there is no such CPU
 */
export function setThreadAffinity(
  cpus: Iterable<number>,
  threadId?: number,
  processors: Processors | undefined = systemProcessors(),
): boolean {
  if (processors === undefined) return false
  const sizes = processors.groupSizes()
  const count = (mask: GroupMask) => cpusIn(mask, sizes).length
  const [first, ...others] = groupMasks(cpus, sizes)
  if (first === undefined) return false
  const largest = others.reduce((best, mask) => (count(mask) > count(best) ? mask : best), first)
  return processors.setThreadAffinity(largest, threadId)
}

/** The CPUs that this process may use: its affinity, and its job's limit of CPU time as a quota. */
export function effectiveCpus(
  processors: Processors | undefined = systemProcessors(),
  readQuota: (logicalCpus: number) => number | undefined = jobQuota,
): EffectiveCpus {
  const affinity = processors?.processAffinity()
  if (processors === undefined || affinity === undefined) return allLogicalCpus(logicalCpuCount())
  const sizes = processors.groupSizes()
  const all = allLogicalCpus(
    Math.max(
      1,
      sizes.reduce((sum, size) => sum + size, 0),
    ),
  )
  const { mask, systemMask, groups } = affinity
  // Both masks are 0 if the threads are in several groups, which excludes a restriction.
  const isRestricted = mask !== systemMask
  const cpus = isRestricted ? cpusIn({ group: groups[0] ?? 0, mask }, sizes) : all.cpus
  const quota = readQuota(all.logicalCpus)
  const whole = quota === undefined ? Infinity : Math.max(1, Math.floor(quota))
  return {
    ...all,
    cpus,
    count: Math.min(cpus.length, whole),
    quota,
    decidedBy: whole < cpus.length ? "quota" : isRestricted ? "affinity" : "logical CPUs",
    needsAffinity: !isRestricted && groups.length < sizes.length,
  }
}

/** @param cpus ascending */
export function placement(cpus: readonly number[], processors: Processors | undefined = systemProcessors()): Placement {
  const sizes = processors?.groupSizes() ?? []
  const cores = (processors?.cores() ?? []).map(core => ({ cpus: cpusIn(core, sizes), speed: core.efficiencyClass }))
  return placementOf(
    cpus.map(cpu => {
      const core = cores.find(core => core.cpus.includes(cpu))
      return { cpu, core: core?.cpus.join() ?? `${cpu}`, speed: core?.speed ?? 0 }
    }),
  )
}

/** Fastest first; none if the system does not report cores. */
export function coreKinds(processors: Processors | undefined = systemProcessors()): readonly CoreKind[] {
  const sizes = processors?.groupSizes() ?? []
  const cores = processors?.cores() ?? []
  const cpus = cores.flatMap(core => cpusIn(core, sizes).map(cpu => ({ cpu, speed: core.efficiencyClass + 1 })))
  return kindsBySpeed(cpus, speed => `cores of efficiency class ${speed - 1}`)
}
