/** What the miner reports to a service manager, and how it feeds its watchdog. */
import type { Clock } from "../clock.ts"
import type { Environment } from "../environment.ts"
import type { Log } from "../log.ts"

/** Whether systemd or a compatible service manager started this process. */
export const isService = (env: Environment): boolean => Boolean(env["INVOCATION_ID"] || env["NOTIFY_SOCKET"])

/** Reports the service's state to the service manager; each call does nothing without one. */
export interface Notifier {
  /** True if a service manager listens. */
  readonly enabled: boolean
  /** Milliseconds within which the watchdog must be fed; undefined if this process is not watched. */
  readonly watchdogTimeoutMs: number | undefined
  /** The start or a reload is complete. */
  ready(): void
  /** A reload begins; `ready` ends it. */
  reloading(): void
  stopping(): void
  /** One line that `systemctl status` shows. */
  status(text: string): void
  /** Feeds the watchdog; must be called more often than its timeout. */
  watchdog(): void
  /** The service's main process is now `pid`. */
  mainPid(pid: number): void
}

/** Without a service manager. */
export const SILENT: Notifier = {
  enabled: false,
  watchdogTimeoutMs: undefined,
  ready() {},
  reloading() {},
  stopping() {},
  status() {},
  watchdog() {},
  mainPid() {},
}

export interface WatchdogOptions {
  readonly notifier: Notifier
  /** From the notifier. */
  readonly timeoutMs: number
  /** True if the workers make progress or have no work. */
  readonly healthy: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Feeds the watchdog while the miner is healthy, starting immediately. @returns stops the feeding */
export function feedWatchdog({ notifier, timeoutMs, healthy, clock, log }: WatchdogOptions): () => void {
  let fed = true
  feed()
  // Four checks per timeout, so that one failed check (while a worker is replaced) does not trigger the watchdog.
  return clock.every(timeoutMs / 4, feed)

  function feed() {
    const was = fed
    fed = healthy()
    if (fed) notifier.watchdog()
    else if (was)
      log.error(`no worker makes progress: systemd restarts the miner in ${timeoutMs} ms unless one recovers`)
  }
}
