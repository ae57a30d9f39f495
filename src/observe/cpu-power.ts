/** Mean power of the CPU packages from energy counters. */
import type { Clock } from "../clock.ts"

/** The energy counter of a CPU package. */
export interface PackageEnergy {
  /** Microjoules since an arbitrary time, below `range`. */
  readonly microjoules: number
  /** The counter starts again at 0 when it reaches this. */
  readonly range: number
}

export class CpuPower {
  readonly #clock: Clock
  readonly #read: () => readonly PackageEnergy[]
  #before: readonly PackageEnergy[]
  #at: number
  #watts: number | undefined

  /** @param read one counter per package, always in the same order; none if they cannot be read */
  constructor(clock: Clock, read: () => readonly PackageEnergy[]) {
    this.#clock = clock
    this.#read = read
    this.#before = read()
    this.#at = clock.now()
  }

  /** Watts of all packages between the last two samples; undefined if the counters cannot be read. */
  get watts(): number | undefined {
    return this.#watts
  }

  /** Call at intervals of seconds: a counter may start again once between two samples, not twice. */
  sample(): void {
    const now = this.#clock.now()
    const counters = this.#read()
    const seconds = (now - this.#at) / 1000
    const comparable = counters.length > 0 && counters.length === this.#before.length && seconds > 0
    this.#watts = comparable ? joulesBetween(this.#before, counters) / seconds : undefined
    this.#before = counters
    this.#at = now
  }
}

function joulesBetween(before: readonly PackageEnergy[], after: readonly PackageEnergy[]): number {
  let microjoules = 0
  for (const [i, { microjoules: now, range }] of after.entries()) {
    const difference = now - before[i]!.microjoules
    microjoules += difference < 0 ? difference + range : difference
  }
  return microjoules / 1e6
}
