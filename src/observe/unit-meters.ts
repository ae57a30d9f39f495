import type { Clock } from "../clock.ts"
import type { Unit } from "../engines/engine.ts"
import { HashRate, type Rates } from "./hash-rate.ts"

interface Meter {
  /** The last reading; kept when the unit is removed, so that totals never decrease. */
  hashes: bigint
  expectedSeals: number
  /** Undefined while the unit is absent. */
  rate: HashRate | undefined
}

const UNKNOWN: Rates = { tenSeconds: undefined, minute: undefined, quarterHour: undefined, highest: undefined }

/** Hash counts and rates per unit, per kind and in total. Units may be added and removed at any time. */
export class UnitMeters {
  readonly #clock: Clock
  readonly #units: () => readonly Unit[]
  readonly #meters = new Map<string, Meter>()
  readonly #totals: Record<"all" | Unit["kind"], { hashes: bigint; readonly rate: HashRate }>
  #expectedSeals = 0
  #progressAt: number | undefined

  constructor(clock: Clock, units: () => readonly Unit[]) {
    this.#clock = clock
    this.#units = units
    const total = () => ({ hashes: 0n, rate: new HashRate(clock) })
    this.#totals = { all: total(), cpu: total(), gpu: total() }
  }

  /** Adds what every unit has counted since the last reading. */
  read(): void {
    const gone = new Set(this.#meters.keys())
    for (const { id, kind, hashes, expectedSeals } of this.#units()) {
      gone.delete(id)
      const meter = this.#meter(id)
      // A unit that returns continues its count or restarts at zero.
      const fromZero = hashes < meter.hashes
      const tested = hashes - (fromZero ? 0n : meter.hashes)
      this.#expectedSeals += expectedSeals - (fromZero ? 0 : meter.expectedSeals)
      meter.rate ??= new HashRate(this.#clock)
      meter.hashes = hashes
      meter.expectedSeals = expectedSeals
      if (tested === 0n) continue
      this.#totals[kind].hashes += tested
      this.#totals.all.hashes += tested
      this.#progressAt = this.#clock.now()
    }
    for (const id of gone) this.#meter(id).rate = undefined
  }

  /** Takes the samples that rates are computed from. Call once per second. */
  sample(): void {
    this.read()
    for (const { rate, hashes } of this.#meters.values()) rate?.sample(hashes)
    for (const { rate, hashes } of Object.values(this.#totals)) rate.sample(hashes)
  }

  /** Nonces tested by all units, including removed ones. */
  get hashes(): bigint {
    return this.#totals.all.hashes
  }

  get expectedSeals(): number {
    return this.#expectedSeals
  }

  /** Clock milliseconds of the last reading that found new hashes; undefined before the first. */
  get progressAt(): number | undefined {
    return this.#progressAt
  }

  rates(of: "all" | Unit["kind"]): Rates {
    return this.#totals[of].rate.rates
  }

  ratesOfUnit(id: string): Rates {
    return this.#meters.get(id)?.rate?.rates ?? UNKNOWN
  }

  #meter(id: string): Meter {
    let meter = this.#meters.get(id)
    if (!meter) this.#meters.set(id, (meter = { hashes: 0n, expectedSeals: 0, rate: undefined }))
    return meter
  }
}
