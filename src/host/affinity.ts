/** On which CPUs the scheduler may run a thread: taskset, systemd's `CPUAffinity=`, and our own pinning of workers. */
import { readlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { parseCpulist } from "./cpulist.ts"
import { libc } from "./libc.ts"
import { readText } from "./read-text.ts"

/** Bytes of a `cpu_set_t` for 8192 CPUs, the most a kernel is built for; a kernel refuses a set smaller than its own. */
const setBytes = 1024

/** The CPUs that the calling thread may run on, ascending; undefined where the system does not tell. */
export function threadAffinity(): number[] | undefined {
  const set = new Uint8Array(setBytes)
  if (libc()?.sched_getaffinity(0, setBytes, set) !== 0) return undefined
  const cpus: number[] = []
  for (let cpu = 0; cpu < setBytes * 8; cpu++) if (set[cpu >> 3]! & (1 << (cpu & 7))) cpus.push(cpu)
  return cpus.length === 0 ? undefined : cpus
}

/** The system's number of the calling thread, undefined elsewhere than on Linux. */
export function currentThreadId(): number | undefined {
  try {
    return Number(basename(readlinkSync("/proc/thread-self")))
  } catch {
    return undefined
  }
}

/**
 * Lets a thread of this process run on `cpus` only. False when the system has no such call or refuses, as for CPUs
 * outside the cpuset: the thread then runs where it could before.
 * @param thread of `currentThreadId`; without one the calling thread (in a worker: the worker's)
 */
export function setThreadAffinity(cpus: Iterable<number>, thread = 0): boolean {
  const set = new Uint8Array(setBytes)
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= setBytes * 8) throw new RangeError(`no CPU ${cpu}`)
    set[cpu >> 3]! |= 1 << (cpu & 7)
  }
  return libc()?.sched_setaffinity(thread, setBytes, set) === 0
}

/** This process's affinity from the file `/proc/self/status` under `root`, where `threadAffinity` is not to be had. */
export async function readAffinity(root: string): Promise<readonly number[] | undefined> {
  const status = (await readText(join(root, "proc/self/status"))) ?? ""
  const list = parseCpulist(/^Cpus_allowed_list:(.*)$/m.exec(status)?.[1] ?? "")
  return list.kind === "cpus" ? list.cpus : undefined
}
