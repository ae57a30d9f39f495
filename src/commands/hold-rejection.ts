/**
 * Handles a rejected token or pin under a service manager. The unit restarts the miner, because systemd copies renewed
 * credentials at every start. The process exits a minute after the rejection, which limits the requests to the node.
 */
import { type Clock, sleep } from "../clock.ts"
import type { Environment } from "../environment.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { isService, type Notifier } from "../host/service-manager.ts"
import type { Log } from "../log.ts"

const HOLD_MS = 60_000
const ALIVE_MS = 5000

export interface HoldOptions {
  readonly env: Environment
  readonly clock: Clock
  readonly log: Log
  readonly notifier: Notifier
  /** Ends the hold. */
  readonly stop: AbortSignal
}

/** Resolves after a minute if `error` is a rejection and a service manager started this process, else immediately. */
export async function holdRejection(error: unknown, { env, clock, log, notifier, stop }: HoldOptions): Promise<void> {
  const isRejection = error instanceof OperatorError && error.exitCode === ExitCode.rejected
  if (!isRejection || !isService(env)) return
  log.error(`${error.message}; the service manager restarts the miner in ${HOLD_MS / 1000} s`)
  notifier.status(`rejected: ${error.message}`)
  notifier.watchdog()
  const cancel = clock.every(ALIVE_MS, () => notifier.watchdog())
  await sleep(clock, HOLD_MS, stop)
  cancel()
}
