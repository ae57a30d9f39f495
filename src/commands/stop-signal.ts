/** SIGINT and SIGTERM, and SIGHUP where a terminal has gone: the first asks for an end, a later one forces it. */
import { EARLY_SIGNALS, exitEarly } from "../early-signals.ts"
import { ExitCode } from "../errors.ts"

const SIGNALS = process.stderr.isTTY ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"]

/** GNU `timeout` and service managers signal the process and its group, so that a signal arrives twice. */
const SAME_REQUEST_MS = 1000

/** Aborts with the name of the first signal as its reason; another one, more than a second later, exits at once. */
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
  // SIGHUP reloads under a service manager; before it is ready there is nothing to reload.
  process.on("SIGHUP", () => {})
  return controller.signal
}

/** Settles when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener("abort", () => resolve(), { once: true }))
}
