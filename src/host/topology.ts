/** In which order to give CPUs to workers: a whole core to each as long as there are cores. */
import { join } from "node:path"
import { parseCpulist } from "./cpulist.ts"
import { readText } from "./read-text.ts"

export interface Placement {
  /** Every CPU asked about, once: one of each physical core, the fastest cores first, then their further threads. */
  readonly order: readonly number[]
  /** How many entries of `order`, from its start, are on physical cores of their own. */
  readonly cores: number
}

/**
 * Orders `cpus` (ascending) by `/sys/devices/system/cpu/cpu*` under `root`. A CPU about which it says nothing counts
 * as a core of its own, so that elsewhere than on Linux the order stays as it is.
 */
export async function readPlacement(cpus: readonly number[], root = "/"): Promise<Placement> {
  const threads = await Promise.all(cpus.map(cpu => readThread(join(root, `sys/devices/system/cpu/cpu${cpu}`), cpu)))
  const used = new Map<string, number>()
  const ranked = threads.map(thread => {
    const rank = used.get(thread.core) ?? 0
    used.set(thread.core, rank + 1)
    return { ...thread, rank }
  })
  ranked.sort((a, b) => a.rank - b.rank || b.capacity - a.capacity || a.cpu - b.cpu)
  return { order: ranked.map(thread => thread.cpu), cores: used.size }
}

/** A CPU, the name of its core (its threads' cpulist), and its speed in a unit common to the machine, 0 if unknown. */
async function readThread(directory: string, cpu: number) {
  // Kernels before 5.0 have only the second name.
  const siblings =
    (await readText(join(directory, "topology/core_cpus_list"))) ??
    (await readText(join(directory, "topology/thread_siblings_list"))) ??
    ""
  const list = parseCpulist(siblings)
  const capacity = Number((await readText(join(directory, "cpu_capacity"))) ?? 0)
  return { cpu, core: list.kind === "cpus" ? list.cpus.join() : `${cpu}`, capacity: capacity || 0 }
}
