/**
 * Constants as pairs of 32-bit digits for 32 × 32-bit multipliers. With φ = 2^32 and φ² ≡ φ − 1 modulo p, every constant
 * has several representations c ≡ c0 + c1 φ in signed digits.
 */
import { mod } from "../pow/field.ts"

const BASE = 2n ** 32n

/** Digits c of a constant and d of φ times it: x · c ≡ (x0 c0 + x1 d0) + (x0 c1 + x1 d1) φ for x = x0 + x1 φ. */
export interface Multiplier {
  readonly c: readonly [bigint, bigint]
  readonly d: readonly [bigint, bigint]
}

/**
 * Returns digits with |digit| < 2^32 for which both sums above fit 64 bits if x0, x1 < 2^32: c0 and d0 have the same sign
 * and |c0| + |d0| ≤ 2^32; likewise c1 and d1. They exist for every constant: if the sum of two positive digits is too
 * large, both can be made negative by subtracting 2^32 from each.
 */
export function multiplier(constant: bigint): Multiplier {
  for (const c of digitPairs(mod(constant)))
    for (const d of digitPairs(mod(constant * BASE))) if (agree(c[0], d[0]) && agree(c[1], d[1])) return { c, d }
  throw new Error(`no pair of digits for the constant ${constant}`)
}

const abs = (x: bigint) => (x < 0n ? -x : x)

const agree = (a: bigint, b: bigint) => a * b >= 0n && abs(a) + abs(b) <= BASE && abs(a) < BASE && abs(b) < BASE

/** @returns representations c0 + c1 φ of c: with c0 ≥ 0 or c0 < 0, and with c1 reduced by φ (φ² = φ − 1) or not */
function digitPairs(c: bigint): [bigint, bigint][] {
  const c0 = c % BASE
  const c1 = c / BASE
  return [
    [c0, c1],
    [c0 - BASE, c1 + 1n],
    [c0 - 1n, c1 - BASE + 1n],
    [c0 - BASE - 1n, c1 - BASE + 2n],
  ]
}
