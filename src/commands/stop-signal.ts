/** SIGINT and SIGTERM, and SIGHUP where a terminal has gone: the first asks for an end, a second one takes it. */
import { ExitCode } from "../errors.ts"

const SIGNALS = process.stderr.isTTY ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"]

/** Aborts with the name of the first signal as its reason; from then on another ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(ExitCode.failure)
      controller.abort(signal)
    })
  }
  // From a service manager it means something else, and before that is ready, nothing.
  process.on("SIGHUP", () => {})
  return controller.signal
}

/** Settles when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener("abort", () => resolve(), { once: true }))
}
