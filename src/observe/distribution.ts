/** Counts observed values in buckets, for a histogram metric; independent of whether anything scrapes it. */
export class Distribution {
  /** Inclusive upper bounds, ascending. Values above the last bound appear only in `count` and `sum`. */
  readonly bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  add(value: number): void {
    this.#sum += value
    this.#count += 1
    const bucket = this.bounds.findIndex(bound => value <= bound)
    if (bucket >= 0) this.#counts[bucket]! += 1
  }

  /** The number of values at or below each bound. */
  get cumulative(): readonly number[] {
    let total = 0
    return this.#counts.map(count => (total += count))
  }

  get sum(): number {
    return this.#sum
  }

  get count(): number {
    return this.#count
  }
}
