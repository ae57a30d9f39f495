/** The queue of seals that wait for a connection, for QUIC and Stratum. */
import type { Log } from "../log.ts"
import { bytesToInteger } from "../pow/u512.ts"
import { isSameJob, type Job, type Seal, targetOfJob, type Verdict } from "./source.ts"

export interface HeldSeal {
  readonly seal: Seal
  /** Whether it was written to an earlier connection, so that the peer may already have it. */
  readonly sentBefore: boolean
  readonly settle: (verdict: Verdict) => void
}

/** The oldest seals are dropped first: a peer's job has usually moved on by then. */
const MAX_HELD = 64

export class HeldSeals {
  readonly #log: Log
  #held: HeldSeal[] = []

  constructor(log: Log) {
    this.#log = log
  }

  /** Holds a seal that was not sent yet. @returns a promise of its verdict */
  hold(seal: Seal): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    this.add({ seal, sentBefore: false, settle: resolve })
    return promise
  }

  add(held: HeldSeal): void {
    this.#held.push(held)
    if (this.#held.length > MAX_HELD) discard(this.#held.shift()!)
  }

  /** Empties the queue. @returns the seals that are valid for `job`; the others receive their verdict */
  takeFor(job: Job): HeldSeal[] {
    const [kept, low]: [HeldSeal[], HeldSeal[]] = [[], []]
    for (const held of this.#takeAll()) {
      if (!isSameJob(held.seal.job, job)) discard(held)
      else if (isBelowTarget(held.seal, job)) kept.push(held)
      else low.push(held)
    }
    for (const held of low) discard(held)
    if (low.length > 0) {
      this.#log.info(
        `${job.id} was sent again with a higher difficulty: ${low.length} held seals below it were discarded`,
      )
    }
    return kept
  }

  /** Settles every held seal: `lost` if it was sent before, else `stale`. */
  discardAll(): void {
    for (const held of this.#takeAll()) discard(held)
  }

  #takeAll(): HeldSeal[] {
    const held = this.#held
    this.#held = []
    return held
  }
}

/** Whether a seal of this job meets its target, which may have changed since the seal was found. */
export const isBelowTarget = (seal: Seal, job: Job): boolean => bytesToInteger(seal.hash) < targetOfJob(job)

function discard({ sentBefore, settle }: HeldSeal): void {
  settle({ result: sentBefore ? "lost" : "stale" })
}
