import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { HashRate } from "../../src/observe/hash-rate.ts"

/** A hash rate with a fake clock. */
function meter() {
  let now = 5_000_000
  const rate = new HashRate({ now: () => now, after: () => () => {}, every: () => () => {} })
  return { rate, wind: (ms: number) => (now += ms) }
}

/** Samples once per second for `seconds` seconds; `perSecond` returns the hashes of each second. */
function run(seconds: number, perSecond: (second: number) => number): HashRate {
  const { rate, wind } = meter()
  let hashes = 0n
  rate.sample(hashes)
  for (let second = 0; second < seconds; second++) {
    wind(1000)
    hashes += BigInt(perSecond(second))
    rate.sample(hashes)
  }
  return rate
}

describe("hash rate", () => {
  test("is unknown until a window is full, never zero", () => {
    const nothing = { tenSeconds: undefined, minute: undefined, quarterHour: undefined, highest: undefined }
    expect(run(0, () => 100).rates).toEqual(nothing)
    expect(run(9, () => 100).rates).toEqual(nothing)
    expect(run(10, () => 100).rates).toEqual({ ...nothing, tenSeconds: 100, highest: 100 })
    expect(run(59, () => 100).rates.minute).toBeUndefined()
    expect(run(60, () => 100).rates.minute).toBe(100)
    expect(run(899, () => 100).rates.quarterHour).toBeUndefined()
    expect(run(900, () => 100).rates.quarterHour).toBe(100)
  })

  test("covers its window; the highest covers ten seconds", () => {
    const burst = run(2000, second => (second < 100 ? 900 : 30))
    expect(burst.rates).toEqual({ tenSeconds: 30, minute: 30, quarterHour: 30, highest: 900 })
    const late = run(2000, second => (second >= 1940 ? 1000 : 0))
    expect(late.rates).toEqual({ tenSeconds: 1000, minute: 1000, quarterHour: 60_000 / 900, highest: 1000 })
  })

  test("falls to zero when the counter stops", () => {
    expect(run(30, second => (second < 15 ? 10 : 0)).rates.tenSeconds).toBe(0)
  })

  test("stays correct after a late tick, which lengthens the window", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 500, max: 20_000 }), { minLength: 30, maxLength: 200 }), steps => {
        const { rate, wind } = meter()
        const start = wind(0)
        rate.sample(0n)
        for (const step of steps) rate.sample(BigInt(wind(step) - start) * 7n)
        for (const known of Object.values(rate.rates)) if (known !== undefined) expect(known).toBeCloseTo(7000, 6)
        expect(rate.rates.tenSeconds).toBeDefined()
      }),
    )
  })

  test("stays exact beyond 2^53", () => {
    const { rate, wind } = meter()
    const start = 2n ** 60n
    rate.sample(start)
    wind(10_000)
    rate.sample(start + 30n)
    expect(rate.rates.tenSeconds).toBe(3)
  })
})
