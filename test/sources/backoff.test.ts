import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Backoff, doublingBackoff } from "../../src/sources/backoff.ts"

const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next())

describe("back-off", () => {
  test("doubles from 1 s to 30 s", () => {
    const backoff = new Backoff(doublingBackoff, () => 0)
    expect(waits(backoff, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect(Math.max(...waits(backoff, 2000))).toBe(30_000)
  })

  test("restarts after a reset", () => {
    const backoff = new Backoff(doublingBackoff, () => 0)
    waits(backoff, 4)
    backoff.reset()
    expect(waits(backoff, 2)).toEqual([1000, 2000])
  })

  test("repeats the first wait during the steady phase", () => {
    const backoff = new Backoff({ firstMs: 500, capMs: 4000, steady: 3, jitter: 0 }, () => 0)
    expect(waits(backoff, 7)).toEqual([500, 500, 500, 1000, 2000, 4000, 4000])
  })

  test("shortens each wait by up to the jitter", () => {
    const fraction = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fraction, fraction, fc.nat(100), (random, jitter, skipped) => {
        const options = { ...doublingBackoff, jitter }
        const [plain, jittered] = [new Backoff(options, () => 0), new Backoff(options, () => random)]
        waits(plain, skipped)
        waits(jittered, skipped)
        expect(jittered.next()).toBeCloseTo(plain.next() * (1 - random * jitter))
      }),
    )
  })
})
