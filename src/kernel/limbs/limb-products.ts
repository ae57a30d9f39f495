/** Products of limbs and their reduction, by how carries are kept (`LimbForm.carries`). */
import { PHI } from "../goldilocks.ts"
import type { Addends } from "./limb-sums.ts"
import type { Limbs, Word } from "./limb-text.ts"

export interface LimbProducts {
  square(a: Limbs): Limbs
  multiply(a: Limbs, b: Limbs): Limbs
  /**
   * Computes sum + x c. With x = x0 + φ x1 and c' = φ c mod p, x c ≡ x0 c + x1 c'. The words of c and c' split the sum
   * into A + φ B, with no term above φ². With A = a0 + φ a1 and B = b0 + φ b1, it is a0 + φ (a1 + b0) + φ² b1. If A
   * wraps, 1 is added to b1; if B wraps, φ³ ≡ −1 is added.
   * @param digits c mod φ and c' mod φ, for A; ⌊c / φ⌋ and ⌊c' / φ⌋, for B
   */
  addProducts(sum: Addends, x: Limbs, digits: readonly [ofA: Digits, ofB: Digits]): Limbs
}

/** Factors of x0 and x1, each 0 … 2^32 − 1. */
export type Digits = readonly [first: bigint, second: bigint]

/** The steps of start + x0 · first + x1 · second. */
export interface Gathering {
  readonly steps: readonly [readonly [Word, bigint], readonly [Word, bigint]]
  /** Whether the second addition can wrap modulo 2^64. */
  readonly carries: boolean
}

/**
 * Orders two products so that the first addition does not wrap.
 * @param max upper bound of the start
 * @throws RangeError if the first of the two additions could wrap
 */
export function gathering(max: bigint, [x0, x1]: Limbs, [first, second]: Digits): Gathering {
  const highest = PHI - 1n
  const steps = [
    [x0, first],
    [x1, second],
  ] as const
  const ordered = first < second ? steps : ([steps[1], steps[0]] as const)
  if (max + highest * ordered[0][1] >= PHI * PHI) throw new RangeError("the sum is too large to add products to")
  return { steps: ordered, carries: max + highest * (first + second) >= PHI * PHI }
}
