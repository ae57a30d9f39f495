/**
 * The Goldilocks field: integers modulo p = 2^64 − 2^32 + 1. Every function takes and gives canonical elements,
 * 0 ≤ x < p.
 */
export const P = 2n ** 64n - 2n ** 32n + 1n

/** The canonical element congruent to any integer. */
export function mod(x: bigint): bigint {
  const r = x % P
  return r < 0n ? r + P : r
}

export const add = (a: bigint, b: bigint): bigint => (a + b) % P

export const mul = (a: bigint, b: bigint): bigint => (a * b) % P

/** The S-box: x^7, a permutation of the field as 7 does not divide p − 1. */
export function pow7(x: bigint): bigint {
  const x2 = mul(x, x)
  const x4 = mul(x2, x2)
  return mul(mul(x4, x2), x)
}
