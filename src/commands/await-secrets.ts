/** The first boot: a miner that starts before its node waits for the files that the node is going to write. */
import { type Clock, sleep } from "../clock.ts"
import { MissingSecret } from "../config/secrets.ts"
import type { Notifier } from "../host/systemd.ts"
import type { Log } from "../log.ts"

const POLL_MS = 1000
const REPEAT_MS = 60_000

export interface AwaitOptions {
  readonly clock: Clock
  readonly log: Log
  readonly notifier: Notifier
}

/**
 * Calls `resolve` once a second for as long as it rejects with `MissingSecret`. The missing file is logged at once and
 * every minute. The service manager counts the miner as started meanwhile, so that its start does not time out.
 * @throws whatever else `resolve` rejects with
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
