/**
 * Unreduced sums of limbs. A sum is kept as the chain of its elements until its form is known: three words with
 * carries, or two pairs that collect the low words and the high words.
 */
import { PHI } from "../goldilocks.ts"
import type { LimbForm } from "./limb-form.ts"
import type { Limbs, LimbText, Pair, Word } from "./limb-text.ts"

/** The sum w0 + φ w1 + φ² w2. */
export interface Words {
  readonly kind: "words"
  readonly words: readonly [Word, Word, Word]
  /** Upper bound of w2. */
  readonly max: number
  /** The same sum as addends, once rendered. */
  addends?: Addends
}

/** Elements whose sum is rendered when it is needed. */
export interface Chain {
  readonly kind: "chain"
  readonly terms: readonly Limbs[]
  /** The sum as words, once rendered. */
  made?: Words
  /** The sum as addends, once rendered. */
  addends?: Addends
}

/** The sum low + φ high of two pairs. */
export interface Addends {
  readonly low: Pair
  readonly high: Pair
  /** Upper bounds of `low` and `high`. */
  readonly max: readonly [bigint, bigint]
}

const NOTHING: Words = { kind: "words", words: ["0", "0", "0"], max: 0 }

/** Minimum length of a chain whose low words and high words are added as two sums of pairs. */
const LONG_MIN = 4

export class LimbSums {
  readonly #text: LimbText
  /** Whether long chains are added as pairs. */
  readonly #addsPairs: boolean

  constructor(text: LimbText, form: LimbForm) {
    this.#text = text
    this.#addsPairs = form.carries === "flag"
  }

  add(left: Words | Chain, right: Words | Chain): Words | Chain {
    if (left.kind === "chain" && right.kind === "chain" && right.terms.length <= 1 && !left.made && !left.addends)
      return { kind: "chain", terms: [...left.terms, ...right.terms] }
    if (this.#addsPairs && left.addends && right.kind === "chain" && right.terms.length === 1)
      return this.#plusTerm(left.addends, right.terms[0]!)
    return this.plus(this.words(left), this.words(right))
  }

  words(sum: Words | Chain): Words {
    if (sum.kind === "words") return sum
    sum.made ??= this.#madeOf(sum)
    return sum.made
  }

  addends(sum: Words | Chain): Addends {
    sum.addends ??=
      sum.kind === "chain" && this.#addsPairs ? this.#addendsOfChain(sum) : this.#addendsOfWords(this.words(sum))
    return sum.addends
  }

  plus(a: Words, b: Words): Words {
    if (a === NOTHING) return b
    if (b === NOTHING) return a
    const t = this.#text
    const max = a.max + b.max + 1
    if (max >= 2 ** 31) throw new RangeError("the sum has too many terms for its third word")
    const [low, first] = t.addOut(a.words[0], b.words[0])
    const [middle, second] = t.addInOut(a.words[1], b.words[1], first)
    return { kind: "words", words: [low, middle, t.addIn(a.words[2], b.words[2], second)], max }
  }

  #madeOf(chain: Chain): Words {
    const t = this.#text
    if (this.#addsPairs && (chain.terms.length >= LONG_MIN || chain.addends)) {
      const { low, high, max } = this.addends(chain)
      const [w0, carry] = t.unpack(low)
      const [w1, w2] = t.unpack(t.addPairs(high, t.extend(carry)))
      return { kind: "words", words: [w0, w1, w2], max: Number((max[1] + max[0] / PHI) / PHI) }
    }
    const terms = chain.terms.map(([low, high]): Words => ({ kind: "words", words: [low, high, "0"], max: 0 }))
    return terms.reduce((sum, term) => this.plus(sum, term), NOTHING)
  }

  /** Computes sum + low + φ high. */
  #plusTerm({ low: lows, high: highs, max }: Addends, [low, high]: Limbs): Chain {
    const add = (pair: Pair, word: Word) => this.#text.addPairs(pair, this.#text.extend(word))
    const addends: Addends = {
      low: add(lows, low),
      high: add(highs, high),
      max: [max[0] + PHI - 1n, max[1] + PHI - 1n],
    }
    return { kind: "chain", terms: [], addends }
  }

  #addendsOfWords({ words: [w0, w1, w2], max }: Words): Addends {
    const t = this.#text
    return { low: t.extend(w0), high: t.pack(w1, w2), max: [PHI - 1n, BigInt(max + 1) * PHI - 1n] }
  }

  #addendsOfChain({ terms }: Chain): Addends {
    const t = this.#text
    const sumOf = (words: readonly Word[]) =>
      words.map(word => t.extend(word)).reduce((sum, word) => t.addPairs(sum, word))
    const max = BigInt(Math.max(1, terms.length)) * (PHI - 1n)
    const [lows, highs] = [terms.map(([low]) => low), terms.map(([, high]) => high)]
    return { low: sumOf(terms.length ? lows : ["0"]), high: sumOf(terms.length ? highs : ["0"]), max: [max, max] }
  }
}
