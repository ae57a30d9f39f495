/** First boot: a miner that starts before its node waits for the credential files of the node. */
import { type Clock, sleep } from "../clock.ts"
import { MissingSecret } from "../config/secrets.ts"
import type { Notifier } from "../host/service-manager.ts"
import type { Log } from "../log.ts"

const POLL_MS = 1000
const REPEAT_MS = 60_000

export interface AwaitOptions {
  readonly clock: Clock
  readonly log: Log
  readonly notifier: Notifier
}

/**
 * Calls `resolve` every second while it rejects with `MissingSecret`. The missing file is logged immediately and then
 * every minute. The miner reports itself as ready meanwhile, so that its start does not time out.
 * @throws any other error of `resolve`
 */
export async function awaitSecrets<T>(resolve: () => Promise<T>, { clock, log, notifier }: AwaitOptions): Promise<T> {
  let loggedAt = Number.NEGATIVE_INFINITY
  let logged = ""
  for (;;) {
    try {
      return await resolve()
    } catch (error) {
      if (!(error instanceof MissingSecret)) throw error
      if (error.path !== logged || clock.now() - loggedAt >= REPEAT_MS) {
        log.info(`waiting for ${error.path}, which does not exist yet`)
        notifier.ready()
        notifier.status(`waiting for ${error.path}`)
        ;[logged, loggedAt] = [error.path, clock.now()]
      }
      notifier.watchdog()
      await sleep(clock, POLL_MS)
    }
  }
}
