/** Products of 64-bit words by 32 × 32-bit multipliers, which read the low half of each lane only. φ = 2^32. */
import type { VirtualRegister } from "../assembler/operands.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"

/** x0 + x1 φ, of which only the low halves count. */
export interface Limbs {
  readonly low: Vector
  readonly high: Vector
}

/** lo + 2^64 hi */
interface Words {
  readonly lo: VirtualRegister
  readonly hi: VirtualRegister
}

/** x². 9 instructions. */
export function squareWords(v: Vectors, x: Limbs): Words {
  const ll = v.multiply(x.low, x.low)
  const lh = v.multiply(x.low, x.high)
  const hh = v.multiply(x.high, x.high)
  const middle = v.add(lh, v.shiftRight(ll, 33))
  return { lo: v.add(ll, v.shiftLeft(lh, 33)), hi: v.add(hh, v.shiftRight(middle, 31)) }
}

/** x · y. 13 instructions, or 14 where halves take two. */
export function productWords(v: Vectors, x: Limbs, y: Limbs): Words {
  const { ll, lh, hl, hh } = limbProducts(v, x, y)
  const t = v.add(hl, v.shiftRight(ll, 32))
  const u = v.add(lh, v.low(t))
  const hi = v.add(v.add(hh, v.shiftRight(t, 32)), v.shiftRight(u, 32))
  return { lo: v.halves(ll, u), hi }
}

/** ll + (lh + hl) φ + hh φ² */
export const limbProducts = (v: Vectors, x: Limbs, y: Limbs) => ({
  ll: v.multiply(x.low, y.low),
  lh: v.multiply(x.low, y.high),
  hl: v.multiply(x.high, y.low),
  hh: v.multiply(x.high, y.high),
})

/** Limbs of few bits too many. Dropped: a borrow and a carry (carry / 2^32 each). 5 instructions. */
export function carryLimbs(v: Vectors, { low, high }: Limbs): Limbs {
  const upper = v.add(high, v.shiftRight(low, 32))
  const carry = v.shiftRight(upper, 32)
  return { low: v.subtract(low, carry), high: v.add(upper, carry) }
}
