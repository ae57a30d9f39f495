/**
 * Products for languages in which carries are values. Additions of 64 bits are part of the multiply-adds; the words of a
 * product are folded with two chains of carries side by side.
 */
import { type Digits, gathering, type LimbProducts } from "./limb-products.ts"
import type { Addends } from "./limb-sums.ts"
import type { Borrow, Carry, Limbs, LimbText, Pair, Word } from "./limb-text.ts"

export class ValueProducts implements LimbProducts {
  readonly #text: LimbText

  constructor(text: LimbText) {
    this.#text = text
  }

  /** Computes a0² + 2 a0 a1 φ + a1² φ² from three products; shifts across words double the second. */
  square([a0, a1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.multiplyWide(a0, a0))
    const middle = t.multiplyWide(a0, a1)
    const doubled = t.shiftLeft(t.unpack(middle)[0], 1)
    const [h0, h1] = t.unpack(t.multiplyAddWide(a1, a1, t.shiftPairRight(middle, 31)))
    return this.#fold(l0, [l1, doubled, h0], [h1, h0], [])
  }

  /** Computes a · b by rows, in which no addition wraps. */
  multiply([a0, a1]: Limbs, [b0, b1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.multiplyWide(a0, b0))
    const [x0, x1] = t.unpack(t.multiplyAddWide(a0, b1, t.extend(l1)))
    const [m0, m1] = t.unpack(t.multiplyAddWide(a1, b0, t.extend(x0)))
    const [h0, h1] = t.unpack(t.addPairs(t.multiplyAddWide(a1, b1, t.extend(x1)), t.extend(m1)))
    return this.#fold(l0, [m0, h0], [h1, h0], [])
  }

  addProducts({ low, high, max }: Addends, x: Limbs, [ofA, ofB]: readonly [Digits, Digits]): Limbs {
    const t = this.#text
    const a = this.#gather(low, max[0], x, ofA)
    const b = this.#gather(high, max[1], x, ofB)
    const [b0, upper] = b.sum
    const b1 = a.carry === undefined ? upper : t.addIn(upper, "0", a.carry)
    return this.#fold(a.sum[0], [a.sum[1], b0, b1], [b1], b.carry === undefined ? [] : [b.carry])
  }

  /** Computes start + x0 · first + x1 · second; `carry` is undefined if it cannot wrap modulo 2^64. */
  #gather(start: Pair, max: bigint, x: Limbs, digits: Digits): { sum: Limbs; carry: Carry | undefined } {
    const t = this.#text
    const {
      steps: [[x0, c], [x1, d]],
      carries,
    } = gathering(max, x, digits)
    const inner = t.multiplyAddWide(x0, t.literal(c), start)
    if (!carries) return { sum: t.unpack(t.multiplyAddWide(x1, t.literal(d), inner)), carry: undefined }
    const [sum, carry] = t.multiplyAddOut(x1, t.literal(d), t.unpack(inner))
    return { sum, carry }
  }

  /**
   * Computes low + φ Σ middle − Σ taken − Σ carries. A carry of the middle has weight φ² ≡ φ − 1: it is added to the
   * next sum and subtracted from the low word, the first one together with the first word of `taken`. LLVM makes one
   * instruction of that subtraction if it comes before the others, and if its result is not used by one without a
   * borrow: carries alone are therefore subtracted before a single word. With several words they come last, since the
   * low word of a square is 0 too often, once in 2^16.
   */
  #fold(
    low: Word,
    [first, second, ...third]: readonly [Word, Word, ...Word[]],
    taken: readonly Word[],
    carries: readonly Carry[],
  ): Limbs {
    const t = this.#text
    const start = t.addOut(first, second)
    const [sum, carry] = third.reduce(([sum, carry], word) => t.addInOut(sum, word, carry), start)
    const later = third.length > 0 ? [carry, ...carries] : carries
    const minus = (word: Word, bit: Carry | Borrow) => t.subtractIn(word, "0", bit)
    const isOne = taken.length === 1
    let rest = isOne ? later.reduce(minus, low) : low
    const borrows = taken.map((word, i): Borrow => {
      const [difference, borrow] = i === 0 ? t.subtractInOut(rest, word, start[1]) : t.subtractOut(rest, word)
      rest = difference
      return borrow
    })
    return [isOne ? rest : later.reduce(minus, rest), borrows.reduce(minus, t.addIn(sum, "0", carry))]
  }
}
