/** What SIGHUP means to this process: decided at the start, before a handler changes what the system reports. */
import { closeSync, openSync } from "node:fs"
import type { Environment } from "./environment.ts"
import { host } from "./host/host.ts"
import { isService } from "./host/service-manager.ts"

/** A service reloads; `nohup` and the like have it ignored; everywhere else it ends the process in order. */
export type Hangup = "reload" | "ignore" | "end"

export function hangupOf(env: Environment, ignoresHangup: () => boolean = host.ignoresHangup): Hangup {
  if (isService(env)) return "reload"
  return ignoresHangup() ? "ignore" : "end"
}

/**
 * Whether the process has a controlling terminal. Shells of a desktop session inherit a service's variables: there the
 * signal of a terminal that closes must end the process all the same.
 */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"))
    return true
  } catch {
    return false
  }
}
