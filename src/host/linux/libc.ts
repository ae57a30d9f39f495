/** C library functions that Bun does not offer, through `bun:ffi`. */
import { openedOnce } from "../once.ts"
import { openCLibrary } from "./libraries.ts"

/** `clockid_t` of the clock that counts from boot. */
const CLOCK_MONOTONIC = 1

/** Low bits of the `clockid_t` of another thread's CPU time: CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED. */
const THREAD_CPU_CLOCK = 4 | 2

/** PR_SET_PDEATHSIG and SIGKILL. */
const SET_PARENT_DEATH_SIGNAL = 1
const KILL = 9n

const SIGNATURES = {
  sched_getaffinity: { args: ["i32", "u64", "ptr"], returns: "i32" },
  sched_setaffinity: { args: ["i32", "u64", "ptr"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
} as const

/** The C library's functions; undefined if `bun:ffi` is refused. */
export const libc = openedOnce(() => openCLibrary(SIGNATURES).symbols)

/** CLOCK_MONOTONIC in microseconds; undefined without a C library. */
export function monotonicMicroseconds(): bigint | undefined {
  const time = new BigInt64Array(2)
  if (libc()?.clock_gettime(CLOCK_MONOTONIC, time) !== 0) return undefined
  return time[0]! * 1_000_000n + time[1]! / 1000n
}

/** CPU time of a thread of this process, in milliseconds; undefined without a C library or if the thread has ended. */
export function threadCpuMs(threadId: number): number | undefined {
  const time = new BigInt64Array(2)
  if (libc()?.clock_gettime((~threadId << 3) | THREAD_CPU_CLOCK, time) !== 0) return undefined
  return 1000 * Number(time[0]) + Number(time[1]) / 1e6
}

/** Has the system kill this process when its parent ends. */
export function endWithParent(): void {
  libc()?.prctl(SET_PARENT_DEATH_SIGNAL, KILL, 0n, 0n, 0n)
}
