/** The order in which workers take CPUs, from the topology in sysfs. */
import { join } from "node:path"
import { parseCpulist } from "../cpulist.ts"
import { placementOf } from "../placement.ts"
import type { Placement } from "../platform.ts"
import { readText } from "../read-text.ts"
import { readCoreKinds } from "./core-kinds.ts"

/**
 * Orders `cpus` (ascending) by `/sys/devices/system/cpu/cpu*` under `root`. A CPU of unknown topology counts as a separate
 * core.
 */
export async function readPlacement(cpus: readonly number[], root = "/"): Promise<Placement> {
  const kinds = await readCoreKinds(root)
  const threads = cpus.map(async cpu => {
    const core = await readCore(join(root, `sys/devices/system/cpu/cpu${cpu}`), cpu)
    const kind = kinds.findIndex(({ cpus }) => cpus.includes(cpu))
    return { cpu, core, speed: kind < 0 ? 0 : kinds.length - kind }
  })
  return placementOf(await Promise.all(threads))
}

/** The core's key: the cpulist of its threads. */
async function readCore(directory: string, cpu: number): Promise<string> {
  // Linux before 5.0 has only the second file.
  const siblings =
    (await readText(join(directory, "topology/core_cpus_list"))) ??
    (await readText(join(directory, "topology/thread_siblings_list"))) ??
    ""
  const list = parseCpulist(siblings)
  return list.kind === "cpus" ? list.cpus.join() : `${cpu}`
}
