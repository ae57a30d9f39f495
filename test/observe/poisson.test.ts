import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { atLeast, atMost } from "../../src/observe/poisson.ts"

/** Σ of the distribution's terms, computed directly. */
function summed(count: number, mean: number): number {
  let term = Math.exp(-mean)
  let sum = term
  for (let k = 1; k <= count; k++) {
    term *= mean / k
    sum += term
  }
  return sum
}

describe("the tails", () => {
  test("agree with the sum of the terms", () => {
    const inputs = [fc.integer({ min: 0, max: 150 }), fc.double({ min: 0, max: 150, noNaN: true })] as const
    fc.assert(
      fc.property(...inputs, (count, mean) => {
        expect(atMost(count, mean)).toBeCloseTo(summed(count, mean), 10)
      }),
      { numRuns: 2000 },
    )
  })

  test("have the exact values of small cases", () => {
    expect(atMost(0, 3)).toBeCloseTo(Math.exp(-3), 12)
    expect(atLeast(1, 3)).toBeCloseTo(1 - Math.exp(-3), 12)
    expect([atMost(0, 0), atLeast(0, 0), atLeast(1, 0)]).toEqual([1, 1, 0])
  })

  test("stay probabilities for the counts of years", () => {
    for (const mean of [1e4, 1e6, 1e8]) {
      const few = atMost(Math.round(mean - 3 * Math.sqrt(mean)), mean)
      // Three standard deviations below the mean: 0.00135 of a normal distribution.
      expect(few).toBeGreaterThan(0.001)
      expect(few).toBeLessThan(0.002)
      expect(atLeast(Math.round(mean), mean)).toBeCloseTo(0.5, 1)
    }
  })
})
