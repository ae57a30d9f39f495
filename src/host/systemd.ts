/** The service notification protocol of systemd: readiness, status and watchdog (sd_notify(3)). */
import type { Clock } from "../clock.ts"
import type { Environment } from "../environment.ts"
import type { Log } from "../log.ts"
import { libc, monotonicMicroseconds } from "./libc.ts"
import { sendDatagram, unixAddress } from "./unix-datagram.ts"

/** Reports the service's state to the service manager; each call does nothing without one. */
export interface Notifier {
  /** True if a service manager listens. */
  readonly enabled: boolean
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

/** The notifier for `$NOTIFY_SOCKET`; logs a warning if that socket cannot be used. */
export function createNotifier(env: Environment, log: Log): Notifier {
  const { NOTIFY_SOCKET: name = "" } = env
  const address = name !== "" && libc() !== undefined ? unixAddress(name) : undefined
  if (name !== "" && address === undefined) {
    log.warn(`the service manager's socket ${name} cannot be used: readiness is not reported`)
  }
  const send = (message: string, wait: boolean) => address !== undefined && sendDatagram(address, message, wait)
  return {
    enabled: address !== undefined,
    // One-time messages must arrive; repeated ones must not block this thread.
    ready: () => void send("READY=1", true),
    reloading: () => void send(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicroseconds()}`, true),
    stopping: () => void send("STOPPING=1", true),
    mainPid: pid => void send(`MAINPID=${pid}`, true),
    status: text => void send(`STATUS=${text.replace(/\s+/g, " ")}`, false),
    watchdog: () => void send("WATCHDOG=1", false),
  }
}

/** Watchdog timeout of process `pid` in milliseconds; undefined if systemd does not watch it. */
export function watchdogTimeoutMs(env: Environment, pid: number = process.pid): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watched = "" } = env
  if (!/^[1-9]\d*$/.test(microseconds)) return undefined
  if (watched !== "" && watched !== `${pid}`) return undefined
  return Number(microseconds) / 1000
}

export interface WatchdogOptions {
  readonly notifier: Notifier
  /** From `watchdogTimeoutMs`. */
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
