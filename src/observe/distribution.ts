/** How often each range of values was seen: what a histogram metric shows, kept also when nobody scrapes. */
export class Distribution {
  /** Inclusive upper bounds, ascending; what is above the last is only in `count`. */
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

  /** For every bound, how many values are at or below it. */
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
