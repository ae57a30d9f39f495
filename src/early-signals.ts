/**
 * Imported first, so that a long-running command exits with 0 even if it is stopped while modules load. The command
 * replaces these handlers with its own.
 */
import { type Hangup, hangupOf, hasTerminal } from "./hangup.ts"

const LONG_RUNNING = ["serve", "api", "node", "pool", "demo"]

export const HANGUP: Hangup = hangupOf(process.env)

/** Whether a terminal could close under a service. */
export const HAD_TERMINAL = HANGUP === "reload" && hasTerminal()

/**
 * The signals that end the process. On Windows, the runtime reports Ctrl-Break as SIGBREAK and a console that closes as
 * SIGHUP; Windows ends the process some seconds after the latter.
 */
export const STOP_SIGNALS: readonly NodeJS.Signals[] = [
  "SIGINT",
  "SIGTERM",
  ...(HANGUP === "end" ? (["SIGHUP"] as const) : []),
  ...(process.platform === "win32" ? (["SIGBREAK"] as const) : []),
]

/** SIGUSR1 pauses and SIGUSR2 resumes. Absent on Windows, which has no such signals. */
export const PAUSE_SIGNALS = process.platform === "win32" ? [] : (["SIGUSR1", "SIGUSR2"] as const)

const exitEarly = (): never => process.exit(0)
const ignore = () => {}

if (LONG_RUNNING.includes(process.argv[2] ?? "")) {
  for (const signal of STOP_SIGNALS) process.on(signal, exitEarly)
  if (HANGUP === "reload") process.on("SIGHUP", ignore)
  // Their default action ends the process.
  for (const signal of PAUSE_SIGNALS) process.on(signal, ignore)
}

/** Removes the handlers, after others have been added. */
export function endEarlySignals(): void {
  for (const signal of STOP_SIGNALS) process.off(signal, exitEarly)
  for (const signal of ["SIGHUP", ...PAUSE_SIGNALS]) process.off(signal, ignore)
}
