import { expect, test } from "bun:test"
import fc from "fast-check"
import { splitRange } from "../../src/miner/split-range.ts"
import { U512_MAX } from "../../src/pow/u512.ts"

const bound = fc.oneof(fc.bigInt({ min: 0n, max: 50n }), fc.bigInt({ min: 0n, max: U512_MAX }))

test("the parts of a range cover it exactly, in order", () => {
  fc.assert(
    fc.property(
      bound,
      bound,
      fc.array(fc.bigInt({ min: 1n, max: 10n ** 15n }), { minLength: 1, maxLength: 9 }),
      (a, b, weights) => {
        const range = a < b ? { first: a, last: b } : { first: b, last: a }
        let next = range.first
        for (const part of splitRange(range, weights)) {
          if (!part) continue
          expect(part.first).toBe(next)
          expect(part.last >= part.first).toBe(true)
          next = part.last + 1n
        }
        expect(next).toBe(range.last + 1n)
      },
    ),
    { seed: 11 },
  )
})
