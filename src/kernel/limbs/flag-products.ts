/**
 * Products for languages with one carry flag: each carry is used right after the operation that sets it. The forms are
 * chosen for the machine code that `ptxas` emits: `mad.lo.cc` followed by `madc.hi` of the same factors becomes one
 * wide multiply-add, and a sum of three pairs becomes two additions with two carries each on most architectures.
 */
import type { LimbForm } from "./limb-form.ts"
import { type Digits, gathering, type LimbProducts } from "./limb-products.ts"
import type { Addends } from "./limb-sums.ts"
import type { Carry, Limbs, LimbText, Pair, Word } from "./limb-text.ts"

export class FlagProducts implements LimbProducts {
  readonly #text: LimbText
  readonly #fold: LimbForm["fold"]

  constructor(text: LimbText, fold: LimbForm["fold"]) {
    this.#text = text
    this.#fold = fold
  }

  /** Computes a0² + 2 a0 a1 φ + a1² φ² from three products; a shift across words doubles the second. */
  square([a0, a1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.multiplyWide(a0, a0))
    const [m0, m1] = t.unpack(t.multiplyWide(a0, a1))
    const h0 = t.shiftAcross(m0, m1, 1)
    const h1 = t.shiftRight(m1, 31)
    const [r1, carry] = t.addOut(l1, t.shiftLeft(m0, 1))
    const [r2, r3] = t.multiplyAdd(a1, a1, [h0, h1], carry)
    if (this.#fold === "multiplier") return this.#foldByMultiplier(l0, r1, r2, r3)
    return this.#foldWords(l0, [r1, r2], r3, [r2])
  }

  /** Computes a0 b0 + (a0 b1 + a1 b0) φ + a1 b1 φ². */
  multiply([a0, a1]: Limbs, [b0, b1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.multiplyWide(a0, b0))
    const cross = t.unpack(t.multiplyWide(a0, b1))
    const [[m0, m1], carry] = t.multiplyAddOut(a1, b0, cross)
    const m2 = t.addIn("0", "0", carry)
    if (this.#fold === "multiplier") {
      const [r1, carry] = t.addOut(l1, m0)
      const [h0, h1] = t.multiplyAdd(a1, b1, [m1, m2], carry)
      return this.#foldByMultiplier(l0, r1, h0, h1)
    }
    const [h0, h1] = t.unpack(t.multiplyAddWide(a1, b1, t.pack(m1, m2)))
    return this.#foldWords(l0, [l1, m0, h0], h1, [h0])
  }

  addProducts({ low, high, max }: Addends, x: Limbs, [ofA, ofB]: readonly [Digits, Digits]): Limbs {
    const t = this.#text
    const early = this.#gather(high, max[1], x, ofB)
    const wrapped = early.carry === undefined ? undefined : t.addIn("0", "0", early.carry)
    const [b0, upper] = early.sum
    const { sum: a, carry } = this.#gather(low, max[0], x, ofA)
    const b1 = carry === undefined ? upper : t.addIn(upper, "0", carry)
    if (this.#fold === "multiplier") return this.#foldSumByMultiplier(a, b0, b1, wrapped)
    return this.#foldWords(a[0], [a[1], b0, b1], b1, wrapped === undefined ? [] : [wrapped])
  }

  /** Computes start + x0 · first + x1 · second; `carry` is undefined if it cannot wrap modulo 2^64. */
  #gather(start: Pair, max: bigint, x: Limbs, digits: Digits): { sum: Limbs; carry: Carry | undefined } {
    const t = this.#text
    const {
      steps: [[x0, c], [x1, d]],
      carries,
    } = gathering(max, x, digits)
    const inner = t.multiplyAdd(x0, t.literal(c), t.unpack(start))
    if (!carries) return { sum: t.multiplyAdd(x1, t.literal(d), inner), carry: undefined }
    const [sum, carry] = t.multiplyAddOut(x1, t.literal(d), inner)
    return { sum, carry }
  }

  /**
   * Computes low + φ Σ middle + φ³ top − Σ others. With Σ middle = t + φ c, that is
   * (low − Σ others − top − c) + φ (t + c). A word w of weight φ² ≡ φ − 1 is passed in both `middle` and `others`.
   */
  #foldWords(low: Word, middle: readonly Word[], top: Word, others: readonly Word[]): Limbs {
    const t = this.#text
    const [sum, carry] = this.#sum(middle)
    const taken = [...others, t.add(top, carry)]
    const high = t.add(sum, carry)
    if (this.#fold === "words") return taken.reduce<Limbs>((x, word) => this.#minus(x, word), [low, high])
    return t.unpack(taken.reduce((x, word) => t.subtractPairs(x, t.extend(word)), t.pack(low, high)))
  }

  /** Computes the sum of words as sum + φ carry. */
  #sum(words: readonly Word[]): Limbs {
    const t = this.#text
    if (this.#fold === "pairs")
      return t.unpack(words.map(word => t.extend(word)).reduceRight((sum, word) => t.addPairs(word, sum)))
    const [first, ...rest] = words
    return rest.reduce<Limbs>(
      ([sum, upper], word) => {
        const [next, carry] = t.addOut(sum, word)
        return [next, t.addIn(upper, "0", carry)]
      },
      [first!, "0"],
    )
  }

  /**
   * Computes r0 + φ r1 + φ² r2 + φ³ r3 with φ² ≡ 2^32 − 1: one wide multiply-add, whose carry is of weight φ² again.
   */
  #foldByMultiplier(r0: Word, r1: Word, r2: Word, r3: Word): Limbs {
    const t = this.#text
    const [[low, high], carry] = t.multiplyAddOut(r2, t.opaqueEps(), [r0, r1])
    const top = t.addIn(r3, "0", carry)
    return this.#minus([low, t.addIn(high, "0", carry)], top)
  }

  #foldSumByMultiplier(a: Limbs, b0: Word, b1: Word, wrapped: Word | undefined): Limbs {
    const t = this.#text
    const [[low, high], carry] = t.multiplyAddOut(b1, t.opaqueEps(), a)
    const first = t.addIn(wrapped ?? "0", "0", carry)
    const [sum, second] = t.addOut(high, b0)
    const taken = t.addIn(first, "0", second)
    const up = t.addIn(sum, wrapped === undefined ? first : t.subtract(first, wrapped), second)
    return this.#minus([low, up], taken)
  }

  /** Computes low + φ high − word, modulo 2^64. */
  #minus([low, high]: Limbs, word: Word): Limbs {
    const [difference, borrow] = this.#text.subtractOut(low, word)
    return [difference, this.#text.subtractIn(high, "0", borrow)]
  }
}
