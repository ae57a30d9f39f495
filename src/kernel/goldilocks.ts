/** Facts of the Goldilocks field that renderers reduce by: with φ = 2^32, φ² ≡ φ − 1 and φ³ ≡ −1 modulo p. */

/** 2^32 − 1 ≡ 2^64 modulo p: a sum of words that wrapped *n* times lacks n · EPS. */
export const EPS = 2n ** 32n - 1n
