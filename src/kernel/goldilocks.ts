/**
 * Reduction modulo p = 2^64 − 2^32 + 1, as the renderers do it.
 *
 * With φ = 2^32, φ² ≡ φ − 1 and φ³ ≡ −1 modulo p, so 2^64 ≡ EPS = φ − 1 and 2^96 ≡ −1. A double word reduces to a word:
 *
 *     low + 2^64 high ≡ low − ⌊high / φ⌋ + (high mod φ) · EPS
 *
 * The sum on the right can wrap modulo 2^64 once in each direction: a carry lacks EPS, a borrow has EPS too much.
 *
 * Wrapped sums. A sum T of many terms need not be kept in two words. It is held as `low` = T mod 2^64 and a signed word
 * `high` ≈ T / φ, the sum of the terms' upper parts, which omits the carries out of their low 32 bits. q = ⌊high / φ⌋
 * is then the number of times that `low` wrapped (negative for borrows), and
 *
 *     T ≡ low + q · EPS
 *
 * Adding a term takes two additions, however many terms there are. The result is wrong, with a small probability, if
 *
 * - the omitted carries would take `high` across a multiple of φ. They amount to a few units; renderers track their
 *   mean and correct for it.
 * - low + q · EPS wraps again: probability |q| / 2^32. Where a constant is added anyway, a multiple of p is subtracted
 *   with it, to centre T around 0 and keep |q| small.
 *
 * Dropped carries. A carry or borrow with a probability near 2^-32 is not computed if that saves an instruction. If
 * it occurs, the hash of that nonce is wrong and a seal may be missed; a wrong candidate fails verification.
 */

/** φ: the base of the two digits of a word. */
export const PHI = 2n ** 32n

/** 2^64 modulo p. */
export const EPS = PHI - 1n
