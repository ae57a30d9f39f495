/** The service notification protocol of systemd: readiness, status and watchdog (sd_notify(3)). */
import type { Environment } from "../../environment.ts"
import type { Log } from "../../log.ts"
import type { Notifier } from "../service-manager.ts"
import { libc, monotonicMicroseconds } from "./libc.ts"
import { sendDatagram, unixAddress } from "./unix-datagram.ts"

/** The notifier for `$NOTIFY_SOCKET`; logs a warning if that socket cannot be used or refuses a message. */
export function createNotifier(env: Environment, log: Log): Notifier {
  const { NOTIFY_SOCKET: name = "" } = env
  const address = name !== "" && libc() !== undefined ? unixAddress(name) : undefined
  if (name !== "" && address === undefined) {
    log.warn(`the service manager's socket ${name} cannot be used: readiness is not reported`)
  }
  let isRefused = false
  const send = (message: string, wait: boolean) => {
    if (address === undefined || sendDatagram(address, message, wait) || !wait || isRefused) return
    isRefused = true
    log.warn(
      `the service manager's socket ${name} refused ${message.split(/[=\n]/)[0]}: nobody listens on it, or a system call ` +
        "filter denies socket or sendto",
    )
  }
  return {
    enabled: address !== undefined,
    watchdogTimeoutMs: watchdogTimeoutMs(env),
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
