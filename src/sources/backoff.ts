/** Computes the wait before the next attempt to reach a peer. */

export interface BackoffOptions {
  /** First wait, before jitter. */
  readonly firstMs: number
  /** Maximum wait. */
  readonly capMs: number
  /** Number of waits of `firstMs` before they double. */
  readonly steady: number
  /** Fraction by which each wait is shortened at most, at random, so that the miners of one node do not return in step. */
  readonly jitter: number
}

/** Waits of 1 s that double up to 30 s. */
export const doublingBackoff: BackoffOptions = { firstMs: 1000, capMs: 30_000, steady: 1, jitter: 0.25 }

/** A connection that had a job for this long has worked: it resets back-off and failover's patience. */
export const WORKED_MS = 30_000

export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #waits = 0

  /** @param random uniform in 0 … 1, `Math.random` outside tests */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** The next wait in milliseconds: this step's wait, shortened by the jitter. */
  next(): number {
    const { firstMs, capMs, steady, jitter } = this.#options
    const doublings = Math.min(Math.max(0, this.#waits + 1 - steady), 32)
    this.#waits++
    return Math.min(capMs, firstMs * 2 ** doublings) * (1 - jitter * this.#random())
  }

  /** Starts again from the first wait. */
  reset(): void {
    this.#waits = 0
  }
}
