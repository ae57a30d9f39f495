/** Watches the effective CPUs while the miner runs, because cpusets, affinities and quotas may change at any time. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import { formatCpulist } from "./cpulist.ts"
import { describeEffectiveCpus, type EffectiveCpus } from "./effective-cpus.ts"

const INTERVAL_MS = 15_000

export interface CpuWatchOptions {
  /** Effective CPUs detected at start. */
  readonly initial: EffectiveCpus
  /** Reads the effective CPUs again: `readEffectiveCpus` with the options used at start. */
  readonly read: () => Promise<EffectiveCpus>
  readonly clock: Clock
  readonly log: Log
  /** Called if the count or the set of CPUs has changed. */
  readonly changed: (now: EffectiveCpus, before: EffectiveCpus) => void
}

export interface CpuWatch {
  readonly current: EffectiveCpus
  /** Checks now (SIGHUP); settles after `changed` was called. */
  check(): Promise<void>
  stop(): void
}

/** Checks every 15 s until stopped; logs and reports each change. */
export function watchEffectiveCpus({ initial, read, clock, log, changed }: CpuWatchOptions): CpuWatch {
  let current = initial
  let stopped = false
  let checking = Promise.resolve()
  const cancel = clock.every(INTERVAL_MS, check)
  return {
    get current() {
      return current
    },
    check,
    stop() {
      stopped = true
      cancel()
    },
  }

  function check(): Promise<void> {
    checking = checking.then(compare)
    return checking
  }

  async function compare() {
    const now = await read()
    if (stopped) return
    const before = current
    current = now
    for (const warning of now.warnings) if (!before.warnings.includes(warning)) log.warn(warning)
    if (now.count === before.count && formatCpulist(now.cpus) === formatCpulist(before.cpus)) return
    log.info(`the effective CPUs changed from ${before.count}: ${describeEffectiveCpus(now)}`)
    changed(now, before)
  }
}
