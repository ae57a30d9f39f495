/** The kinds of core, from sysfs. Highest frequencies are not used: they differ between cores of one design. */
import { join } from "node:path"
import { type CoreKind, kindsBySpeed } from "../core-kinds.ts"
import { parseCpulist } from "../cpulist.ts"
import { readText } from "../read-text.ts"

/** The performance counters of each kind of an Intel hybrid CPU, fastest kind first. */
const INTEL = [
  ["P cores", "cpu_core"],
  ["E cores", "cpu_atom"],
  ["LP E cores", "cpu_lowpower"],
] as const

/** Reads the kinds of all CPUs under `root`, fastest first; none if the system does not tell them. */
export async function readCoreKinds(root = "/"): Promise<readonly CoreKind[]> {
  const intel = await Promise.all(
    INTEL.map(async ([name, device]) => ({ name, cpus: await readCpus(join(root, "sys/devices", device, "cpus")) })),
  )
  const found = intel.filter(({ cpus }) => cpus.length > 0)
  return found.length > 0 ? found : readCapacities(join(root, "sys/devices/system/cpu"))
}

/** By `cpu_capacity`, which arm64 kernels have from the firmware. */
async function readCapacities(directory: string): Promise<readonly CoreKind[]> {
  const cpus = await Promise.all(
    (await readCpus(join(directory, "present"))).map(async cpu => {
      const text = await readText(join(directory, `cpu${cpu}/cpu_capacity`))
      return { cpu, speed: Number(text ?? 0) || 0 }
    }),
  )
  return kindsBySpeed(cpus, capacity => `cores of capacity ${capacity}`)
}

async function readCpus(path: string): Promise<readonly number[]> {
  const list = parseCpulist((await readText(path)) ?? "")
  return list.kind === "cpus" ? list.cpus : []
}
