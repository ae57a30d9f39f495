/** The hash rate of the last 24 hours, for the page's chart. */

/** Milliseconds between samples. */
export const HISTORY_STEP_MS = 5000

const CAPACITY = (24 * 3600 * 1000) / HISTORY_STEP_MS

export interface RateSeries {
  /** Seconds between points; the last point is now. */
  readonly stepSeconds: number
  /** Hashes per second, oldest first; null if unknown. */
  readonly rates: readonly (number | null)[]
}

export class History {
  readonly #rates = new Float64Array(CAPACITY)
  #next = 0
  #length = 0

  /** Call every `HISTORY_STEP_MS` milliseconds. @param rate hashes per second; undefined if unknown */
  add(rate: number | undefined): void {
    this.#rates[this.#next] = rate ?? Number.NaN
    this.#next = (this.#next + 1) % CAPACITY
    this.#length = Math.min(this.#length + 1, CAPACITY)
  }

  /** At most `points` averages over the last `seconds` seconds, or over the whole history if it is shorter. */
  series(seconds: number, points: number): RateSeries {
    const wanted = Math.min(Math.ceil((seconds * 1000) / HISTORY_STEP_MS), CAPACITY)
    const group = Math.max(1, Math.ceil(wanted / points))
    const count = Math.floor(Math.min(wanted, this.#length) / group)
    const rates = Array.from({ length: count }, (_, point) => this.#average((count - point) * group, group))
    return { stepSeconds: (group * HISTORY_STEP_MS) / 1000, rates }
  }

  /** The mean of the known samples among `group` samples that begin `back` samples before the end; null if none. */
  #average(back: number, group: number): number | null {
    let sum = 0
    let known = 0
    for (let sample = 0; sample < group; sample++) {
      const rate = this.#rates[(this.#next - back + sample + CAPACITY) % CAPACITY]!
      if (Number.isNaN(rate)) continue
      sum += rate
      known += 1
    }
    return known > 0 ? sum / known : null
  }
}
