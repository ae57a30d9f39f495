/** What systemd and a service say to each other: readiness, status and watchdog (sd_notify(3)). */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import { libc, monotonicMicroseconds } from "./libc.ts"
import { sendDatagram, unixAddress } from "./unix-datagram.ts"

export type Environment = Readonly<Record<string, string | undefined>>

/** Tells the service manager how this service is; each call does nothing where there is none. */
export interface Notifier {
  /** Whether a service manager listens. */
  readonly enabled: boolean
  /** The start, or a reload, is complete. */
  ready(): void
  /** A reload begins; `ready` ends it. */
  reloading(): void
  stopping(): void
  /** One line for people, shown by `systemctl status`. */
  status(text: string): void
  /** Still alive: to be said more often than the watchdog's timeout. */
  watchdog(): void
  /** The service's main process is another than the one that was started. */
  mainPid(pid: number): void
}

/** The notifier of `$NOTIFY_SOCKET`; warns when it names a socket that cannot be reached from here. */
export function createNotifier(env: Environment, log: Log): Notifier {
  const { NOTIFY_SOCKET: name = "" } = env
  const address = name !== "" && libc() !== undefined ? unixAddress(name) : undefined
  if (name !== "" && address === undefined) {
    log.warn(`The service manager's socket ${name} cannot be used: it will not learn that the miner is ready`)
  }
  const send = (message: string, wait: boolean) => address !== undefined && sendDatagram(address, message, wait)
  return {
    enabled: address !== undefined,
    // What is said once must arrive; what is said again soon must not hold this thread up.
    ready: () => void send("READY=1", true),
    reloading: () => void send(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicroseconds()}`, true),
    stopping: () => void send("STOPPING=1", true),
    mainPid: pid => void send(`MAINPID=${pid}`, true),
    status: text => void send(`STATUS=${text.replace(/\s+/g, " ")}`, false),
    watchdog: () => void send("WATCHDOG=1", false),
  }
}

/** Milliseconds of silence after which systemd kills this process, undefined when it does not watch process `pid`. */
export function watchdogTimeout(env: Environment, pid: number = process.pid): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watched = "" } = env
  if (!/^[1-9]\d*$/.test(microseconds)) return undefined
  if (watched !== "" && watched !== `${pid}`) return undefined
  return Number(microseconds) / 1000
}

export interface WatchdogOptions {
  readonly notifier: Notifier
  /** From `watchdogTimeout`. */
  readonly timeout: number
  /** Whether the workers make progress, or rightly have nothing to do. */
  readonly healthy: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Feeds the watchdog for as long as the miner is healthy, starting at once; returns what ends it. */
export function feedWatchdog({ notifier, timeout, healthy, clock, log }: WatchdogOptions): () => void {
  let fed = true
  feed()
  // Four looks a timeout: a single bad one, such as while a worker is being replaced, kills nobody.
  return clock.every(timeout / 4, feed)

  function feed() {
    const was = fed
    fed = healthy()
    if (fed) notifier.watchdog()
    else if (was) log.error(`No worker makes progress: unless one does, systemd restarts the miner in ${timeout} ms`)
  }
}
