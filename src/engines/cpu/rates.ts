/** Measured rates of kernels, and what a calibration concludes from them. */

/** Kernels, fastest first. */
export type Ranking = readonly { readonly name: string; readonly hashesPerSecond: number }[]

/** Kernels above this fraction of the highest rate are measured again, because load may have slowed one down. */
const CLOSE = 0.95

/** Kernels above this fraction after the second measurement count as equal: the first that was measured is chosen. */
const ALIKE = 0.98

/** A kernel below this fraction of the highest rate was deprived of the CPU, so its measurement is invalid. */
const PLAUSIBLE = 0.02

/** Whether a rate is so low beside another that it must be the result of other load. */
export const isImplausible = (rate: number, highest: number): boolean => rate <= PLAUSIBLE * highest

/** Hashes per second by kernel, in the order of the first measurements. */
export class Rates {
  readonly #rates = new Map<string, number>()

  /** Sums of the kernels' rates, which all of `parts` have. */
  static sum(parts: readonly Rates[]): Rates {
    const sum = new Rates()
    for (const name of parts[0]?.names ?? [])
      sum.add(
        name,
        parts.reduce((total, part) => total + part.of(name), 0),
      )
    return sum
  }

  /** Adds a measurement; the best one of each kernel counts. */
  add(name: string, hashesPerSecond: number): void {
    this.#rates.set(name, Math.max(this.of(name), hashesPerSecond))
  }

  has(name: string): boolean {
    return this.#rates.has(name)
  }

  /** 0 if it was not measured. */
  of(name: string): number {
    return this.#rates.get(name) ?? 0
  }

  get names(): string[] {
    return [...this.#rates.keys()]
  }

  get areAllPlausible(): boolean {
    return [...this.#rates.values()].every(rate => !isImplausible(rate, this.#highest))
  }

  /** Kernels to measure again: all if a measurement is invalid, else those that are close to the fastest. */
  get unclear(): string[] {
    if (!this.areAllPlausible) return this.names
    const close = this.names.filter(name => this.of(name) >= CLOSE * this.#highest)
    return close.length > 1 ? close : []
  }

  /** At least one kernel must have been measured. */
  get ranking(): Ranking {
    const measured = [...this.#rates].map(([name, hashesPerSecond]) => ({ name, hashesPerSecond }))
    const best = measured.find(({ hashesPerSecond }) => hashesPerSecond >= ALIKE * this.#highest)!
    const rest = measured.filter(one => one !== best)
    return [best, ...rest.toSorted((a, b) => b.hashesPerSecond - a.hashesPerSecond)]
  }

  get #highest(): number {
    return Math.max(...this.#rates.values())
  }
}
