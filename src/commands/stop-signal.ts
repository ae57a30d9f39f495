/** SIGINT and SIGTERM, and SIGHUP on a terminal: the first requests a shutdown, a later one forces it. */
import { EARLY_SIGNALS, exitEarly } from "../early-signals.ts"
import { ExitCode } from "../errors.ts"
import { PAUSE_SIGNALS } from "./pause-signals.ts"

const SIGNALS = process.stderr.isTTY ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"]

/** GNU `timeout` and service managers signal both the process and its group, so a signal can arrive twice. */
const SAME_REQUEST_MS = 1000

/** Aborts with the name of the first signal as reason; another signal more than a second later exits immediately. */
export function stopSignal(now: () => number = () => performance.now()): AbortSignal {
  const controller = new AbortController()
  let abortedAt = 0
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!controller.signal.aborted) {
        abortedAt = now()
        controller.abort(signal)
      } else if (now() - abortedAt > SAME_REQUEST_MS) process.exit(ExitCode.failure)
    })
  }
  for (const signal of EARLY_SIGNALS) process.off(signal, exitEarly)
  // Reload, pause and resume have no effect before mining begins, and must not end the process.
  for (const signal of ["SIGHUP", ...PAUSE_SIGNALS]) process.on(signal, () => {})
  return controller.signal
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener("abort", () => resolve(), { once: true }))
}
