/** How long to wait before trying a peer again. */

export interface BackoffOptions {
  /** Longest first wait, in milliseconds. */
  readonly firstMs: number
  /** No wait is ever longer. */
  readonly capMs: number
  /** Waits of `firstMs` before they begin to double. */
  readonly steady: number
}

/** Waits of 1 s that double up to 30 s. */
export const doublingBackoff: BackoffOptions = { firstMs: 1000, capMs: 30_000, steady: 1 }

/** A connection that had a job for this long has worked: it resets back-off and failover's patience. */
export const WORKED_MS = 30_000

/** Each wait is shortened by up to this part of it at random, so that miners of one node do not return in step. */
const JITTER = 0.25

export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #waits = 0

  /** @param random uniform in 0 … 1, `Math.random` outside tests */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  /** Milliseconds to wait now: between three quarters of this step's wait and all of it. */
  next(): number {
    const { firstMs, capMs, steady } = this.#options
    const doublings = Math.min(Math.max(0, this.#waits + 1 - steady), 32)
    this.#waits++
    return Math.min(capMs, firstMs * 2 ** doublings) * (1 - JITTER * this.#random())
  }

  /** Starts again from the first wait. */
  reset(): void {
    this.#waits = 0
  }
}
