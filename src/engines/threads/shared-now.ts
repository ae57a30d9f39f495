/**
 * One monotonic clock for all threads of the process. Each thread's `performance.now()` starts at 0 with the thread, and
 * `performance.timeOrigin` is wall-clock time, which steps. The offset of a thread is therefore taken once from the
 * system's monotonic clock.
 */
import { host } from "../../host/host.ts"

export interface ThreadClock {
  /** Milliseconds since the thread's start. */
  now(): number
  /** Wall-clock milliseconds of the thread's start. */
  readonly timeOrigin: number
}

/**
 * Milliseconds to add to a thread's `now()`.
 * @param monotonicUs the system's monotonic clock in microseconds; undefined without a C library, where the wall clock
 *   of the thread's start has to do
 */
export function threadOffset(clock: ThreadClock, monotonicUs: bigint | undefined): number {
  return monotonicUs === undefined ? clock.timeOrigin : Number(monotonicUs) / 1000 - clock.now()
}

let offset: number | undefined

/** Milliseconds on the clock that all threads share. */
export function sharedNow(): number {
  offset ??= threadOffset(performance, host.monotonicMicroseconds())
  return offset + performance.now()
}
