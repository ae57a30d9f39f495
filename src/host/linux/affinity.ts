/** CPU affinity of threads: the CPUs that the scheduler may run a thread on (sched_setaffinity(2), systemd's `CPUAffinity=`). */
import { readlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { parseCpulist } from "../cpulist.ts"
import { readText } from "../read-text.ts"
import { libc } from "./libc.ts"

/** Bytes of a `cpu_set_t` for 8192 CPUs, the maximum of Linux, which refuses a set smaller than its own. */
const SET_BYTES = 1024

/** The CPUs that the calling thread may run on, ascending; undefined if the system does not report them. */
export function threadAffinity(): number[] | undefined {
  const set = new Uint8Array(SET_BYTES)
  if (libc()?.sched_getaffinity(0, SET_BYTES, set) !== 0) return undefined
  const cpus: number[] = []
  for (let cpu = 0; cpu < SET_BYTES * 8; cpu++) if (set[cpu >> 3]! & (1 << (cpu & 7))) cpus.push(cpu)
  return cpus.length === 0 ? undefined : cpus
}

/** The system's id of the calling thread; undefined without /proc. */
export function currentThreadId(): number | undefined {
  try {
    return Number(basename(readlinkSync("/proc/thread-self")))
  } catch {
    return undefined
  }
}

/**
 * Restricts a thread of this process to `cpus`.
 * @param threadId from `currentThreadId`; 0: the calling thread
 * @returns false if the system lacks the call or refuses it (all CPUs are outside the cpuset); the affinity is unchanged
 * @throws RangeError if a CPU is not an integer in 0 … 8191
 */
export function setThreadAffinity(cpus: Iterable<number>, threadId = 0): boolean {
  const set = new Uint8Array(SET_BYTES)
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= SET_BYTES * 8) throw new RangeError(`no CPU ${cpu}`)
    set[cpu >> 3]! |= 1 << (cpu & 7)
  }
  return libc()?.sched_setaffinity(threadId, SET_BYTES, set) === 0
}

/** This process's affinity from `/proc/self/status` under `root`, the fallback for `threadAffinity`; undefined if unknown. */
export async function readAffinity(root: string): Promise<readonly number[] | undefined> {
  const status = (await readText(join(root, "proc/self/status"))) ?? ""
  const list = parseCpulist(/^Cpus_allowed_list:(.*)$/m.exec(status)?.[1] ?? "")
  return list.kind === "cpus" ? list.cpus : undefined
}
