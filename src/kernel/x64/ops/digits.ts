/**
 * Constants as pairs of 32-bit digits for 32 × 32-bit multipliers. With φ = 2^32, φ² ≡ φ − 1 modulo p, a constant is
 * c ≡ c0 + c1 φ for many pairs of signed digits.
 */
import { mod } from "../../../pow/field.ts"

const BASE = 2n ** 32n

/** Digits of c and of φ c, so that x c ≡ (x0 c0 + x1 d0) + (x0 c1 + x1 d1) φ for x = x0 + x1 φ. */
export interface Multiplier {
  readonly c: readonly [bigint, bigint]
  readonly d: readonly [bigint, bigint]
}

/**
 * Digits below 2^32 such that neither sum leaves 64 bits for x0, x1 < 2^32: c0 and d0 have the same sign and
 * |c0| + |d0| ≤ 2^32, likewise c1 and d1. They exist for every constant: of two digits either both can be taken
 * positive, or, each less 2^32, both negative.
 */
export function multiplier(constant: bigint): Multiplier {
  for (const c of digitPairs(mod(constant)))
    for (const d of digitPairs(mod(constant * BASE))) if (agree(c[0], d[0]) && agree(c[1], d[1])) return { c, d }
  throw new Error(`no digits for ${constant}`)
}

const abs = (x: bigint) => (x < 0n ? -x : x)

const agree = (a: bigint, b: bigint) => a * b >= 0n && abs(a) + abs(b) <= BASE && abs(a) < BASE && abs(b) < BASE

/** c0 + c1 φ, and the same less φ (in c0, more one in c1), less φ² = φ − 1 (in c1), or both. */
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
