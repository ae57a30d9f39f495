/** The order in which workers take CPUs. */
import type { Placement } from "./platform.ts"

/** A CPU, its core's key, and its speed relative to other CPUs; 0 if unknown. */
export interface CpuOfCore {
  readonly cpu: number
  readonly core: string
  readonly speed: number
}

/** Gives each worker a whole core while cores are left, the fastest first. */
export function placementOf(threads: readonly CpuOfCore[]): Placement {
  const used = new Map<string, number>()
  const ranked = threads.map(thread => {
    const rank = used.get(thread.core) ?? 0
    used.set(thread.core, rank + 1)
    return { ...thread, rank }
  })
  ranked.sort((a, b) => a.rank - b.rank || b.speed - a.speed || a.cpu - b.cpu)
  return { order: ranked.map(thread => thread.cpu), cores: used.size }
}
