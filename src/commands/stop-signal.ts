/** The signals that end the process, the first in order and a later one at once, and the one that reloads a service. */
import { endEarlySignals, HAD_TERMINAL, HANGUP, PAUSE_SIGNALS, STOP_SIGNALS } from "../early-signals.ts"
import { ExitCode } from "../errors.ts"
import { hasTerminal } from "../hangup.ts"

/** GNU `timeout` and service managers signal both the process and its group, so a signal can arrive twice. */
const SAME_REQUEST_MS = 1000

/** Aborts with the name of the first signal as reason; another signal more than a second later exits immediately. */
export function stopSignal(now: () => number = () => performance.now()): AbortSignal {
  const controller = new AbortController()
  let abortedAt = 0
  const stop = (signal: NodeJS.Signals) => {
    if (!controller.signal.aborted) {
      abortedAt = now()
      controller.abort(signal)
    } else if (now() - abortedAt > SAME_REQUEST_MS) process.exit(ExitCode.failure)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  // A service that handles no reload continues.
  if (HANGUP === "reload") process.on("SIGHUP", signal => isTerminalGone() && stop(signal))
  // Pause and resume have no effect before mining begins, and must not end the process.
  for (const signal of PAUSE_SIGNALS) process.on(signal, () => {})
  endEarlySignals()
  return controller.signal
}

/** Calls `act` when a service manager requests a reload (SIGHUP). @returns a function that ends this */
export function onReload(act: () => void): () => void {
  if (HANGUP !== "reload") return () => {}
  const reload = () => void (isTerminalGone() || act())
  process.on("SIGHUP", reload)
  return () => process.off("SIGHUP", reload)
}

const isTerminalGone = (): boolean => HAD_TERMINAL && !hasTerminal()

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener("abort", () => resolve(), { once: true }))
}
