import type { Clock } from "../clock.ts"

/** Hashes a second over three windows; `undefined` until a window is full, so that unknown is never shown as zero. */
export interface Rates {
  readonly tenSeconds: number | undefined
  readonly minute: number | undefined
  readonly quarterHour: number | undefined
  /** The highest ten-second rate so far. */
  readonly highest: number | undefined
}

const TEN_SECONDS = 10_000
const MINUTE = 60_000
const QUARTER_HOUR = 900_000

/** A sample a second over the longest window, and one more to measure its beginning from. */
const CAPACITY = 901

/** Turns a counter that is read once a second into rates, by a monotonic clock. */
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

  /** @param hashes nonces tested since the start, never less than the last time, below 2^64 */
  sample(hashes: bigint): void {
    this.#newest = (this.#newest + 1) % CAPACITY
    this.#length = Math.min(this.#length + 1, CAPACITY)
    this.#times[this.#newest] = this.#clock.now()
    this.#counts[this.#newest] = hashes
    const rate = this.#over(TEN_SECONDS)
    if (rate !== undefined) this.#highest = Math.max(this.#highest ?? 0, rate)
  }

  get rates(): Rates {
    return {
      tenSeconds: this.#over(TEN_SECONDS),
      minute: this.#over(MINUTE),
      quarterHour: this.#over(QUARTER_HOUR),
      highest: this.#highest,
    }
  }

  /** Hashes a second since the youngest sample that is at least `window` milliseconds older than the newest. */
  #over(window: number): number | undefined {
    let low = 0
    let high = this.#length
    // Binary search over ages: how many of the newest samples are younger than the window.
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#age(middle) < window) low = middle + 1
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
