import type { Clock } from "../clock.ts"

/** Hashes per second over three windows; undefined until a window is full, so that unknown is never shown as zero. */
export interface Rates {
  readonly tenSeconds: number | undefined
  readonly minute: number | undefined
  readonly quarterHour: number | undefined
  /** The highest ten-second rate so far. */
  readonly highest: number | undefined
}

const TEN_SECONDS_MS = 10_000
const MINUTE_MS = 60_000
const QUARTER_HOUR_MS = 900_000

/** One sample per second of the longest window, and one before it. */
const CAPACITY = 901

/** Computes rates from a counter that is sampled once per second on a monotonic clock. */
export class HashRate {
  readonly #clock: Clock
  readonly #times = new Float64Array(CAPACITY)
  readonly #counts = new BigUint64Array(CAPACITY)
  #newest = -1
  #length = 0
  #highest: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param hashes nonces tested since the start: non-decreasing, below 2^64 */
  sample(hashes: bigint): void {
    this.#newest = (this.#newest + 1) % CAPACITY
    this.#length = Math.min(this.#length + 1, CAPACITY)
    this.#times[this.#newest] = this.#clock.now()
    this.#counts[this.#newest] = hashes
    const rate = this.#over(TEN_SECONDS_MS)
    if (rate !== undefined) this.#highest = Math.max(this.#highest ?? 0, rate)
  }

  get rates(): Rates {
    return {
      tenSeconds: this.#over(TEN_SECONDS_MS),
      minute: this.#over(MINUTE_MS),
      quarterHour: this.#over(QUARTER_HOUR_MS),
      highest: this.#highest,
    }
  }

  /** Hashes per second between the newest sample and the latest one that is at least `windowMs` older. */
  #over(windowMs: number): number | undefined {
    let low = 0
    let high = this.#length
    // Binary search for the first sample, counted from the newest, that is as old as the window.
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#age(middle) < windowMs) low = middle + 1
      else high = middle
    }
    if (low === this.#length) return undefined
    const hashes = this.#counts[this.#newest]! - this.#counts[this.#index(low)]!
    return Number(hashes) / (this.#age(low) / 1000)
  }

  /** Milliseconds between the newest sample and the one `back` before it. */
  #age(back: number): number {
    return this.#times[this.#newest]! - this.#times[this.#index(back)]!
  }

  #index(back: number): number {
    return (this.#newest - back + CAPACITY) % CAPACITY
  }
}
