/**
 * The vocabulary of `ops.ts` in PTX. `goldilocks.ts` explains φ and dropped carries; `docs/gpu.md` adds up how often
 * they lose a nonce.
 *
 * An element is two 32-bit words, 0 … 2^64 − 1. In this file a *word* has 32 bits and a *pair* is a 64-bit register.
 *
 * The forms are chosen for the machine code that `ptxas` emits (counts in `docs/gpu.md`): `mad.lo.cc` followed by
 * `madc.hi` of the same factors becomes one wide multiply-add, and a sum of three pairs becomes two additions with two
 * carries each on most architectures.
 */
import { P } from "../../pow/field.ts"
import { PHI } from "../goldilocks.ts"
import type { Constant, ConstantTable, Ops, Step } from "../ops.ts"
import type { PtxModule, PtxText } from "./ptx-text.ts"

/**
 * How words are added with carries: as pairs, three of which architectures up to sm_100 add at a time, or word by word
 * with the carry flag, which is faster on architectures that have a 64-bit addition (sm_120).
 */
export type SumForm = "pairs" | "words"

/** An element low + φ high: names of registers, or literals. */
export type Limbs = readonly [low: string, high: string]

/** An unreduced sum. */
export type Sum = Words | Chain | Products

/** The sum w0 + φ w1 + φ² w2. */
interface Words {
  readonly kind: "words"
  readonly words: readonly [string, string, string]
  /** Upper bound of w2. */
  readonly max: number
  /** The same sum as addends, once rendered. */
  addends?: Addends
}

/** Elements whose sum is rendered when it is needed. */
interface Chain {
  readonly kind: "chain"
  readonly terms: readonly Limbs[]
  /** The sum as words, once rendered. */
  made?: Words
  /** The sum as addends, once rendered. */
  addends?: Addends
}

/** The sum low + φ high of two register pairs. */
interface Addends {
  readonly low: string
  readonly high: string
  /** Upper bounds of `low` and `high`. */
  readonly max: readonly [bigint, bigint]
}

/** The sum `sum` + a · constant, rendered when it is reduced. */
interface Products {
  readonly kind: "products"
  readonly sum: Words | Chain
  readonly a: Limbs
  readonly constant: bigint
}

/** A sum of products modulo 2^64. */
interface Accumulated {
  readonly pair: Limbs
  /** Whether the sum can wrap. The carry flag then holds the carry. */
  readonly carries: boolean
}

const NOTHING: Words = { kind: "words", words: ["0", "0", "0"], max: 0 }

/** Maximum third word of a sum whose reduction drops carries; their probability is then below 2^-26. */
const SMALL_MAX = 64

/** Minimum length of a chain whose low words and high words are added as two sums of pairs. */
const LONG_MIN = 4

export class PtxOps implements Ops<Limbs, Sum> {
  readonly productsTakeConstants = false
  readonly #module: PtxModule
  readonly #text: PtxText
  readonly #form: SumForm
  /** Address of the current entry of the constant table, in a loop. */
  readonly #entry: string | undefined

  constructor(module: PtxModule, text: PtxText, form: SumForm = "pairs", entry?: string) {
    this.#module = module
    this.#text = text
    this.#form = form
    this.#entry = entry
  }

  /** Computes a0² + 2 a0 a1 φ + a1² φ² from three products; a shift across words doubles the second. */
  square([a0, a1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.letPair("mul.wide.u32", a0, a0))
    const [m0, m1] = t.unpack(t.letPair("mul.wide.u32", a0, a1))
    const h0 = t.let("shf.l.wrap.b32", m0, m1, 1)
    const h1 = t.let("shr.u32", m1, 31)
    const doubled = t.let("shl.b32", m0, 1)
    const r1 = t.let("add.cc.u32", l1, doubled)
    const r2 = t.let("madc.lo.cc.u32", a1, a1, h0)
    const r3 = t.let("madc.hi.u32", a1, a1, h1)
    return this.#fold(l0, [r1, r2], r3, [r2])
  }

  /** Computes a0 b0 + (a0 b1 + a1 b0) φ + a1 b1 φ². */
  multiply([a0, a1]: Limbs, [b0, b1]: Limbs): Limbs {
    const t = this.#text
    const [l0, l1] = t.unpack(t.letPair("mul.wide.u32", a0, b0))
    const [x0, x1] = t.unpack(t.letPair("mul.wide.u32", a0, b1))
    const m0 = t.let("mad.lo.cc.u32", a1, b0, x0)
    const m1 = t.let("madc.hi.cc.u32", a1, b0, x1)
    const m2 = t.let("addc.u32", 0, 0)
    const [h0, h1] = t.unpack(t.letPair("mad.wide.u32", a1, b1, t.pack(m1, m2)))
    return this.#fold(l0, [l1, m0, h0], h1, [h0])
  }

  product(a: Limbs, b: Limbs): Sum {
    return this.widen(this.multiply(a, b))
  }

  zero(): Sum {
    return { kind: "chain", terms: [] }
  }

  widen(a: Limbs): Chain {
    return { kind: "chain", terms: [a] }
  }

  add(a: Sum, b: Sum): Sum {
    const [left, right] = [this.#addable(a), this.#addable(b)]
    if (left.kind === "chain" && right.kind === "chain" && right.terms.length <= 1 && !left.made && !left.addends)
      return { kind: "chain", terms: [...left.terms, ...right.terms] }
    if (left.addends && right.kind === "chain" && right.terms.length === 1) return this.#plusTerm(left, right.terms[0]!)
    return this.#plus(this.#words(left), this.#words(right))
  }

  double(a: Sum): Sum {
    const words = this.#words(a)
    return this.#plus(words, words)
  }

  addConstant(a: Sum, constant: Constant): Sum {
    return this.add(a, this.widen(this.#constant(constant)))
  }

  multiplyAdd(sum: Sum, a: Limbs, constant: Constant): Sum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    return { kind: "products", sum: this.#addable(sum), a, constant }
  }

  reduce(a: Sum): Limbs {
    if (a.kind === "products") return this.#reduceProducts(a)
    if (a.kind === "chain" && a.terms.length < 2) return a.terms[0] ?? ["0", "0"]
    return this.#reduceWords(this.#words(a))
  }

  reduceLinear(a: Sum): Limbs {
    return this.reduce(a)
  }

  settle(a: Sum): Sum {
    const sum = this.#addable(a)
    this.#addends(sum)
    return sum
  }

  repeat(step: Step, table: ConstantTable, state: readonly Limbs[]): Limbs[] {
    if (table.length === 1) return step.apply(this, state, table[0]!)
    const t = this.#text
    const words = table.flat()
    const address = this.#module.table(words)
    const current = state.map(x => this.#copy(x))
    const entry = t.letPair("mov.u64", address)
    const end = t.letPair("add.u64", entry, 8 * words.length)
    const columns = table[0]!.map((_, column) => ({ column, table }))
    const start = t.label()
    t.place(start)
    const next = step.apply(new PtxOps(this.#module, t, this.#form, entry), current, columns).map(x => this.#copy(x))
    current.forEach((x, i) => {
      x.forEach((word, j) => {
        t.emit(`mov.b32 ${word}, ${next[i]![j]}`)
      })
    })
    t.emit(`add.u64 ${entry}, ${entry}, ${8 * columns.length}`)
    const more = t.predicate()
    t.emit(`setp.ne.u64 ${more}, ${entry}, ${end}`)
    t.emit(`@${more} bra ${start}`)
    return current
  }

  /**
   * Computes low + φ Σ middle + φ³ top − Σ others. With Σ middle = t + φ c, that is
   * (low − Σ others − top − c) + φ (t + c). A word w of weight φ² ≡ φ − 1 is passed in both `middle` and `others`.
   */
  #fold(low: string, middle: readonly string[], top: string, others: readonly string[]): Limbs {
    const t = this.#text
    const [sum, carry] = this.#sum(middle)
    const taken = [...others, t.let("add.u32", top, carry)]
    const high = t.let("add.u32", sum, carry)
    if (this.#form === "words") return taken.reduce<Limbs>((x, word) => this.#minus(x, word), [low, high])
    return t.unpack(taken.reduce((x, word) => t.letPair("sub.u64", x, t.extend(word)), t.pack(low, high)))
  }

  /** Computes the sum of words as sum + φ carry. */
  #sum(words: readonly string[]): readonly [sum: string, carry: string] {
    const t = this.#text
    if (this.#form === "pairs")
      return t.unpack(words.map(word => t.extend(word)).reduceRight((sum, word) => t.letPair("add.u64", word, sum)))
    const [first, ...rest] = words
    return rest.reduce<readonly [string, string]>(
      ([sum, carry], word) => [t.let("add.cc.u32", sum, word), t.let("addc.u32", carry, 0)],
      [first!, "0"],
    )
  }

  /** Computes low + φ high − word, modulo 2^64. */
  #minus([low, high]: Limbs, word: string): Limbs {
    return [this.#text.let("sub.cc.u32", low, word), this.#text.let("subc.u32", high, 0)]
  }

  /**
   * Computes sum + x c. With x = x0 + φ x1 and c' = φ c mod p, x c ≡ x0 c + x1 c'. The words of c and c' split the sum
   * into A + φ B, with no term above φ². With A = a0 + φ a1 and B = b0 + φ b1, it is a0 + φ (a1 + b0) + φ² b1. If A
   * wraps, 1 is added to b1; if B wraps, φ³ ≡ −1 is added.
   */
  #reduceProducts({ sum, a: x, constant }: Products): Limbs {
    const t = this.#text
    const shifted = (constant * PHI) % P
    const { low, high, max } = this.#addends(sum)
    const ofA = () => this.#gather(low, max[0], x, constant % PHI, shifted % PHI)
    const ofB = () => this.#gather(high, max[1], x, constant / PHI, shifted / PHI)
    // There is one carry flag, so each carry is used right after the sum that sets it.
    const early = ofB()
    const wrapped = early.carries ? t.let("addc.u32", 0, 0) : undefined
    const { pair, carries } = ofA()
    const [a0, a1] = pair
    const [b0] = early.pair
    const b1 = carries ? t.let("addc.u32", early.pair[1], 0) : early.pair[1]
    return this.#fold(a0, [a1, b0, b1], b1, wrapped === undefined ? [] : [wrapped])
  }

  /**
   * Computes start + x0 · first + x1 · second modulo 2^64.
   * @param start a pair, 0 … max
   * @param first 0 … 2^32 − 1
   * @param second 0 … 2^32 − 1
   * @throws RangeError if the first of the two additions could wrap
   */
  #gather(start: string, max: bigint, [x0, x1]: Limbs, first: bigint, second: bigint): Accumulated {
    const highest = PHI - 1n
    // The larger factor comes last, so that the first addition does not wrap.
    const [x, y, c, d] = first < second ? [x0, x1, first, second] : [x1, x0, second, first]
    if (max + highest * c >= PHI * PHI) throw new RangeError("the sum is too large to add products to")
    const inner = this.#multiplyAdd(this.#text.unpack(start), x, c, "u32")
    const carries = max + highest * (c + d) >= PHI * PHI
    return { pair: this.#multiplyAdd(inner, y, d, carries ? "cc.u32" : "u32"), carries }
  }

  /** Computes low + φ high + x · digit modulo 2^64; `cc.u32` sets the carry flag. */
  #multiplyAdd([low, high]: Limbs, x: string, digit: bigint, flag: "u32" | "cc.u32"): Limbs {
    const first = this.#text.let("mad.lo.cc.u32", x, literal(digit), low)
    return [first, this.#text.let(`madc.hi.${flag}`, x, literal(digit), high)]
  }

  /** Computes w0 + φ w1 + φ² w2 ≡ (w0 − w2) + φ (w1 + w2). */
  #reduceWords({ words: [w0, w1, w2], max }: Words): Limbs {
    if (max === 0) return [w0, w1]
    const t = this.#text
    let [taken, high] = [w2, ""]
    if (max <= SMALL_MAX) {
      high = t.let("add.u32", w1, w2)
    } else {
      const sum = t.let("add.cc.u32", w1, w2)
      const carry = t.let("addc.u32", 0, 0)
      high = t.let("add.u32", sum, carry)
      taken = t.let("add.u32", w2, carry)
    }
    return [t.let("sub.cc.u32", w0, taken), t.let("subc.u32", high, 0)]
  }

  #addable(sum: Sum): Words | Chain {
    return sum.kind === "products" ? this.widen(this.#reduceProducts(sum)) : sum
  }

  #words(sum: Sum): Words {
    const addable = this.#addable(sum)
    if (addable.kind === "words") return addable
    addable.made ??= this.#madeOf(addable)
    return addable.made
  }

  #madeOf(chain: Chain): Words {
    const t = this.#text
    if (chain.terms.length >= LONG_MIN || chain.addends) {
      const { low, high, max } = this.#addends(chain)
      const [w0, carry] = t.unpack(low)
      const [w1, w2] = t.unpack(t.letPair("add.u64", high, t.extend(carry)))
      return { kind: "words", words: [w0, w1, w2], max: Number((max[1] + max[0] / PHI) / PHI) }
    }
    const terms = chain.terms.map(([low, high]): Words => ({ kind: "words", words: [low, high, "0"], max: 0 }))
    return terms.reduce((sum, term) => this.#plus(sum, term), NOTHING)
  }

  #plus(a: Words, b: Words): Words {
    if (a === NOTHING) return b
    if (b === NOTHING) return a
    const t = this.#text
    const max = a.max + b.max + 1
    if (max >= 2 ** 31) throw new RangeError("the sum has too many terms for its third word")
    const low = t.let("add.cc.u32", a.words[0], b.words[0])
    const middle = t.let("addc.cc.u32", a.words[1], b.words[1])
    return { kind: "words", words: [low, middle, t.let("addc.u32", a.words[2], b.words[2])], max }
  }

  /** Computes sum + low + φ high. Assumes that `sum.addends` is rendered. */
  #plusTerm(sum: Words | Chain, [low, high]: Limbs): Chain {
    const { low: lows, high: highs, max } = sum.addends!
    const add = (pair: string, word: string) => this.#text.letPair("add.u64", pair, this.#text.extend(word))
    const addends: Addends = {
      low: add(lows, low),
      high: add(highs, high),
      max: [max[0] + PHI - 1n, max[1] + PHI - 1n],
    }
    return { kind: "chain", terms: [], addends }
  }

  #addends(sum: Words | Chain): Addends {
    sum.addends ??= sum.kind === "words" ? this.#addendsOfWords(sum) : this.#addendsOfChain(sum)
    return sum.addends
  }

  #addendsOfWords({ words: [w0, w1, w2], max }: Words): Addends {
    const t = this.#text
    return { low: t.extend(w0), high: t.pack(w1, w2), max: [PHI - 1n, BigInt(max + 1) * PHI - 1n] }
  }

  #addendsOfChain({ terms }: Chain): Addends {
    const t = this.#text
    const sumOf = (words: readonly string[]) =>
      words.map(word => t.extend(word)).reduce((sum, word) => t.letPair("add.u64", sum, word))
    const max = BigInt(Math.max(1, terms.length)) * (PHI - 1n)
    const [lows, highs] = [terms.map(([low]) => low), terms.map(([, high]) => high)]
    return { low: sumOf(terms.length ? lows : ["0"]), high: sumOf(terms.length ? highs : ["0"]), max: [max, max] }
  }

  #copy([low, high]: Limbs): Limbs {
    return [this.#text.let("mov.b32", low), this.#text.let("mov.b32", high)]
  }

  #constant(constant: Constant): Limbs {
    if (typeof constant === "bigint") return [literal(constant % PHI), literal(constant / PHI)]
    if (!this.#entry) throw new TypeError("a table entry is used outside its loop")
    return this.#text.unpack(this.#text.letPair("ld.const.b64", `[${this.#entry}+${8 * constant.column}]`))
  }
}

const literal = (word: bigint): string => `0x${word.toString(16)}`
