/** Tells a pool that has nothing to say from one that is gone: TCP alone takes minutes to notice. */
import type { Clock } from "../../clock.ts"

/** Silence after a share that ends the connection. */
const AFTER_SHARE_MS = 30_000
/** Without any share, silence may last this many mean job intervals, within these limits. */
const INTERVALS = 10
const MIN_QUIET_MS = 60_000
const MAX_QUIET_MS = 300_000
/** Intervals that must have been seen before their mean counts. */
const MIN_INTERVALS = 3
/** Silence during which an unanswered share is not given up yet: the connection may be dead. */
const SUSPECT_MS = 10_000

export class SilenceWatch {
  readonly #clock: Clock
  #heardAt: number
  #firstJobAt: number | undefined
  #lastJobAt = 0
  #intervals = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#heardAt = clock.now()
  }

  /** Bytes arrived. */
  heard(): void {
    this.#heardAt = this.#clock.now()
  }

  jobArrived(): void {
    this.#lastJobAt = this.#clock.now()
    if (this.#firstJobAt === undefined) this.#firstJobAt = this.#lastJobAt
    else this.#intervals++
  }

  /** Whether the connection may be dead. */
  get isSuspect(): boolean {
    return this.#silentMs >= SUSPECT_MS
  }

  /** @param shareSentAt when the oldest unanswered share was sent. @returns a sentence if the pool counts as gone */
  problem(shareSentAt: number | undefined): string | undefined {
    const silent = this.#silentMs
    const sinceShare = shareSentAt === undefined ? 0 : this.#clock.now() - shareSentAt
    if (Math.min(silent, sinceShare) >= AFTER_SHARE_MS) return `the pool is silent: no byte for 30 s after a share`
    if (silent < this.#maxQuietMs) return undefined
    return `the pool is silent: no byte for ${Math.round(silent / 1000)} s`
  }

  get #silentMs(): number {
    return this.#clock.now() - this.#heardAt
  }

  get #maxQuietMs(): number {
    if (this.#intervals < MIN_INTERVALS) return MAX_QUIET_MS
    const mean = (this.#lastJobAt - this.#firstJobAt!) / this.#intervals
    return Math.min(MAX_QUIET_MS, Math.max(MIN_QUIET_MS, INTERVALS * mean))
  }
}
