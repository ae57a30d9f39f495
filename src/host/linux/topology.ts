/** The order in which workers take CPUs, from the topology in sysfs. */
import { join } from "node:path"
import { parseCpulist } from "../cpulist.ts"
import { type CpuOfCore, placementOf } from "../placement.ts"
import type { Placement } from "../platform.ts"
import { readText } from "../read-text.ts"

/**
 * Orders `cpus` (ascending) by `/sys/devices/system/cpu/cpu*` under `root`. A CPU of unknown topology counts as a separate
 * core.
 */
export async function readPlacement(cpus: readonly number[], root = "/"): Promise<Placement> {
  const threads = await Promise.all(cpus.map(cpu => readThread(join(root, `sys/devices/system/cpu/cpu${cpu}`), cpu)))
  return placementOf(threads)
}

/** The core's key is the cpulist of its threads. */
async function readThread(directory: string, cpu: number): Promise<CpuOfCore> {
  // Linux before 5.0 has only the second file.
  const siblings =
    (await readText(join(directory, "topology/core_cpus_list"))) ??
    (await readText(join(directory, "topology/thread_siblings_list"))) ??
    ""
  const list = parseCpulist(siblings)
  const capacity = Number((await readText(join(directory, "cpu_capacity"))) ?? 0)
  return { cpu, core: list.kind === "cpus" ? list.cpus.join() : `${cpu}`, capacity: capacity || 0 }
}
