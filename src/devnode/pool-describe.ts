import type { PoolEvent, PoolTotals } from "./pool.ts"

/** A line about an event at a pool, for people; undefined if it is not worth a line. */
export function describePoolEvent(event: PoolEvent): string | undefined {
  switch (event.type) {
    case "connected":
      return `miner ${event.miner} logged in from ${event.remote}`
    case "disconnected":
      return `miner ${event.miner} disconnected`
    case "job":
      return event.miners > 0 ? `job ${event.id} sent, difficulty ${event.difficulty}` : undefined
    case "share":
      return `share of job ${event.jobId} by miner ${event.miner} ${event.verdict}, ${(event.age / 1000).toFixed(3)} s after the job`
  }
}

/** A line of the pool's totals, for people. */
export function describePoolTotals({ jobs, accepted, stale, duplicate, low, foreign, malformed }: PoolTotals): string {
  return `${jobs} jobs, ${accepted} accepted shares, ${stale} stale, ${duplicate} duplicate, ${low} low, ${foreign + malformed} malformed`
}
