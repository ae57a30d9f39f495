/** Products of 64-bit words with 32 × 32-bit multipliers, which read only the low half of each lane. φ = 2^32. */
import type { VirtualRegister } from "../assembler/operands.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"

/** x0 + x1 φ, where x0 and x1 are the low halves of the lanes; the high halves are ignored. */
export interface Limbs {
  readonly low: Vector
  readonly high: Vector
}

/** A 128-bit number lo + 2^64 hi. */
interface Words {
  readonly lo: VirtualRegister
  readonly hi: VirtualRegister
}

/** Computes x². Returns 0 … (2^64 − 1)². 9 instructions. */
export function squareWords(v: Vectors, x: Limbs): Words {
  const ll = v.multiply(x.low, x.low)
  const lh = v.multiply(x.low, x.high)
  const hh = v.multiply(x.high, x.high)
  const middle = v.add(lh, v.shiftRight(ll, 33))
  return { lo: v.add(ll, v.shiftLeft(lh, 33)), hi: v.add(hh, v.shiftRight(middle, 31)) }
}

/** Computes x · y. Returns 0 … (2^64 − 1)². 13 instructions if `halves` takes one, 14 if it takes two. */
export function productWords(v: Vectors, x: Limbs, y: Limbs): Words {
  const { ll, lh, hl, hh } = limbProducts(v, x, y)
  const t = v.add(hl, v.shiftRight(ll, 32))
  const u = v.add(lh, v.low(t))
  const hi = v.add(v.add(hh, v.shiftRight(t, 32)), v.shiftRight(u, 32))
  return { lo: v.halves(ll, u), hi }
}

/** Computes the partial products of x · y = ll + (lh + hl) φ + hh φ², each in 0 … (2^32 − 1)². */
export const limbProducts = (v: Vectors, x: Limbs, y: Limbs) => ({
  ll: v.multiply(x.low, y.low),
  lh: v.multiply(x.low, y.high),
  hl: v.multiply(x.high, y.low),
  hh: v.multiply(x.high, y.high),
})

/**
 * Computes low + high φ, whole words, as limbs. Assumes that the carry out of the high limb, (high + (low >> 32)) >> 32, is
 * small. Dropped: a borrow and a carry, each with probability carry / 2^32. 5 instructions.
 */
export function carryLimbs(v: Vectors, { low, high }: Limbs): Limbs {
  const upper = v.add(high, v.shiftRight(low, 32))
  const carry = v.shiftRight(upper, 32)
  return { low: v.subtract(low, carry), high: v.add(upper, carry) }
}
