/**
 * The Goldilocks field: integers modulo p = 2^64 − 2^32 + 1. An element is canonical if 0 ≤ x < p. Every function
 * returns a canonical element.
 */

/** The order of the field. */
export const P = 2n ** 64n - 2n ** 32n + 1n

/** Computes x mod p. @param x any integer, negative ones included */
export function mod(x: bigint): bigint {
  const r = x % P
  return r < 0n ? r + P : r
}

/** Computes a + b mod p. Assumes a, b ≥ 0. */
export const add = (a: bigint, b: bigint): bigint => (a + b) % P

/** Computes a · b mod p. Assumes a, b ≥ 0. */
export const mul = (a: bigint, b: bigint): bigint => (a * b) % P

/** Computes the S-box, x^7 mod p. It permutes the field because 7 does not divide p − 1. Assumes x ≥ 0. */
export function pow7(x: bigint): bigint {
  const x2 = mul(x, x)
  const x4 = mul(x2, x2)
  return mul(mul(x4, x2), x)
}
