/** Watches the effective CPUs while the miner runs: cpusets, affinities and quotas change under a live process. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import { formatCpulist } from "./cpulist.ts"
import { describeEffectiveCpus, type EffectiveCpus } from "./effective-cpus.ts"

const interval = 15_000

export interface CpuWatchOptions {
  /** What was detected at the start. */
  readonly initial: EffectiveCpus
  /** Reads them again, as `readEffectiveCpus` with the options of the start. */
  readonly read: () => Promise<EffectiveCpus>
  readonly clock: Clock
  readonly log: Log
  /** The count, or which CPUs may be used, is another now. */
  readonly changed: (now: EffectiveCpus, before: EffectiveCpus) => void
}

export interface CpuWatch {
  readonly current: EffectiveCpus
  /** Looks now, for SIGHUP; settles when what it saw has been told. */
  check(): Promise<void>
  stop(): void
}

/** Looks every 15 s until stopped, and logs and tells each change. */
export function watchEffectiveCpus({ initial, read, clock, log, changed }: CpuWatchOptions): CpuWatch {
  let current = initial
  let stopped = false
  let checking = Promise.resolve()
  const cancel = clock.every(interval, check)
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
    checking = checking.then(look)
    return checking
  }

  async function look() {
    const now = await read()
    if (stopped) return
    const before = current
    current = now
    for (const warning of now.warnings) if (!before.warnings.includes(warning)) log.warn(warning)
    if (now.count === before.count && formatCpulist(now.cpus) === formatCpulist(before.cpus)) return
    log.info(`The effective CPUs changed from ${before.count}: ${describeEffectiveCpus(now)}`)
    changed(now, before)
  }
}
