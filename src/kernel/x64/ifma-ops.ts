/**
 * The vocabulary of `ops.ts` on AVX-512 with IFMA, whose multipliers add the low or the high 52 bits of a 52 × 52-bit
 * product to an accumulator.
 *
 * An element is one word a lane, of any value. A sum is A0 + A1 · 2^52, A0 signed, A1 not, both in 64 bits: products add
 * to it where they are made, sums are added by halves, and many fit before one reduction. With 2^64 ≡ 2^32 − 1 = EPS
 * and 2^96 ≡ −1 modulo p.
 */
import { mod } from "../../pow/field.ts"
import { type Constant, type ConstantRows, type Step, unrolled } from "../ops.ts"
import { immediate, type Memory, mask, memory, rdi, type VirtualRegister } from "./assembler/operands.ts"
import type { Steps, VectorOps } from "./steps.ts"
import type { Vector, Vectors } from "./vectors.ts"

export interface Word {
  readonly word: Vector
  /** Low and high 32 bits, once they were needed; good until the block ends. */
  split?: { readonly low: Vector; readonly high: Vector }
}

interface Pair {
  readonly form: "pair"
  readonly a0: Vector
  /** A1 in parts, so that products do not wait for each other. */
  readonly a1: readonly [Vector] | readonly [Vector, Vector]
  readonly range0: Range
  /** Of A1 as a whole. */
  readonly range1: Range
}

export type WordSum =
  | { readonly form: "empty" }
  | { readonly form: "constant"; readonly constant: Constant }
  /** Not multiplied yet: how depends on what becomes of it. */
  | Product
  | Pair

interface Product {
  readonly form: "product"
  readonly a: Word
  readonly b: Word
  /** Once it was needed. */
  pair?: Pair
}

type Range = readonly [min: bigint, max: bigint]

const EPS = 2n ** 32n - 1n
const RADIX = 2n ** 52n
const LOW52 = RADIX - 1n

export class IfmaOps implements VectorOps<Word, WordSum> {
  readonly map: VectorOps<Word, WordSum>["map"]
  readonly fold: VectorOps<Word, WordSum>["fold"]
  readonly streams = 1
  readonly #v: Vectors
  readonly #steps: Steps
  readonly #stateOffset: number
  #masks = 0

  /** @param stateOffset bytes from rdi to the slots through which a state goes into a step and out of it */
  constructor(vectors: Vectors, steps: Steps, stateOffset: number) {
    this.#v = vectors
    this.#steps = steps
    this.#stateOffset = stateOffset
    const { map, fold } = unrolled<Word, WordSum>(() => this)
    this.map = map
    this.fold = fold
  }

  fromWords([words]: readonly Vector[]): Word {
    return { word: words! }
  }

  toWords({ word }: Word): Vector[] {
    return [this.#v.canonical(word)]
  }

  /** 15 instructions, 1 more to split, 6 to reduce. */
  square(a: Word): Word {
    const v = this.#v
    const { low, high } = this.#split(a)
    const ll = v.multiply(low, low)
    const lh = v.multiply(low, high)
    const hh = v.multiply(high, high)
    const middle = v.add(lh, v.shiftRight(ll, 33))
    return this.#fromProduct(v.add(ll, v.shiftLeft(lh, 33)), v.add(hh, v.shiftRight(middle, 31)))
  }

  multiply(a: Word, b: Word): Word {
    const v = this.#v
    const x = this.#split(a)
    const y = this.#split(b)
    const ll = v.multiply(x.low, y.low)
    const t = v.add(v.multiply(x.high, y.low), v.shiftRight(ll, 32))
    const u = v.add(v.multiply(x.low, y.high), v.low(t))
    const hh = v.multiply(x.high, y.high)
    const high = v.add(v.add(hh, v.shiftRight(t, 32)), v.shiftRight(u, 32))
    return this.#fromProduct(v.halves(ll, v.shiftLeft(u, 32)), high)
  }

  /** lo + 2^64 hi ≡ lo − (hi >> 32) + (hi & EPS) · EPS. Dropped: the difference's borrow (2^-33). */
  #fromProduct(lo: Vector, hi: Vector): Word {
    const v = this.#v
    return { word: this.#carried(v.subtract(lo, v.shiftRight(hi, 32)), v.multiply(hi, v.constant(EPS))) }
  }

  /** a + b, and EPS more where that wraps; b ≤ EPS², so it wraps once only. */
  #carried(a: Vector, b: VirtualRegister): Vector {
    const v = this.#v
    const sum = v.add(a, b)
    // k1 … k6 in turn; the scheduler keeps those in use apart.
    const wrapped = mask(1 + (this.#masks++ % 6))
    v.routine.emit("vpcmpuq", wrapped, sum, b, immediate(LESS))
    v.routine.emitMasked("vpaddq", wrapped, sum, sum, v.constant(EPS))
    return sum
  }

  #split(a: Word): { low: Vector; high: Vector } {
    // The multiplier of 32-bit halves ignores the high half.
    a.split ??= { low: this.#v.register(a.word), high: this.#v.shiftRight(a.word, 32) }
    return a.split
  }

  product(a: Word, b: Word): WordSum {
    return { form: "product", a, b }
  }

  zero(): WordSum {
    return { form: "empty" }
  }

  widen({ word }: Word): WordSum {
    const v = this.#v
    return pair(v.and(word, v.constant(LOW52)), [v.shiftRight(word, 52)], [0n, LOW52], [0n, 4095n])
  }

  add(a: WordSum, b: WordSum): WordSum {
    if (a.form === "empty") return b
    if (b.form === "empty") return a
    if (a.form === "constant") return this.addConstant(b, a.constant)
    if (b.form === "constant") return this.addConstant(a, b.constant)
    const v = this.#v
    const x = this.#pair(a)
    const y = this.#pair(b)
    return pair(
      v.add(x.a0, y.a0),
      [v.add(this.#a1(x), this.#a1(y))],
      sumOf(x.range0, y.range0),
      sumOf(x.range1, y.range1),
    )
  }

  double(a: WordSum): WordSum {
    if (a.form === "empty") return a
    const once = this.#pair(a)
    return this.add(once, once)
  }

  addConstant(a: WordSum, constant: Constant): WordSum {
    if (a.form === "empty") return { form: "constant", constant }
    const v = this.#v
    const x = this.#pair(a)
    const c = this.#constantPair(constant)
    return pair(v.add(x.a0, c.a0), [v.add(this.#a1(x), c.a1[0])], sumOf(x.range0, c.range0), sumOf(x.range1, c.range1))
  }

  /**
   * With x = x0 + x1 · 2^32, c = c0 + c1 · 2^52 and 2^32 c ≡ d = d0 + d1 · 2^52: six multiplications that add, and no
   * other instruction, as hi(x0 c1) and hi(x1 d1) are 0.
   */
  multiplyAdd(sum: WordSum, a: Word, constant: Constant): WordSum {
    if (typeof constant !== "bigint") throw new TypeError("rows of constants are added only")
    if (sum.form === "empty") return this.multiplyAdd(this.#constantPair(0n), a, constant)
    const v = this.#v
    const base = this.#pair(sum)
    const { high } = this.#split(a)
    const low = (this.#low.get(a) ?? v.low(a.word)) as VirtualRegister
    this.#low.set(a, low)
    const [c0, c1] = digits(constant)
    const [d0, d1] = digits(mod(constant << 32n))
    const a0 = this.#accumulate(base.a0, [
      ["vpmadd52luq", low, c0],
      ["vpmadd52luq", high, d0],
    ])
    const first = this.#accumulate(base.a1[0], [
      ["vpmadd52huq", low, c0],
      ["vpmadd52luq", low, c1],
    ])
    const second = this.#accumulate(base.a1[1] ?? v.constant(0n), [
      ["vpmadd52huq", high, d0],
      ["vpmadd52luq", high, d1],
    ])
    return pair(
      a0,
      [first, second],
      sumOf(base.range0, [0n, 2n * LOW52]),
      sumOf(base.range1, [0n, 2n * (EPS + EPS * 4095n)]),
    )
  }

  /** The words' low halves alone, by element. */
  readonly #low = new WeakMap<Word, Vector>()

  #accumulate(base: Vector, terms: readonly (readonly [mnemonic: string, x: Vector, c: bigint])[]): VirtualRegister {
    const v = this.#v
    const sum = v.copy(base)
    for (const [mnemonic, x, c] of terms) if (c !== 0n) v.routine.emit(mnemonic, sum, v.register(x), v.constant(c))
    return sum
  }

  settle(a: WordSum): WordSum {
    return a.form === "product" ? this.#pair(a) : a
  }

  reduce(a: WordSum): Word {
    if (a.form === "product") return this.multiply(a.a, a.b)
    return this.#reducePair(this.#pair(a))
  }

  /**
   * Carries A0 into A1, then A1 = 4096 q + r: the word A0 + r · 2^52 plus q · 2^64 ≡ (q & EPS) · EPS − (q >> 32). A1
   * is not negative then but where A0 was and A1 was 0, all but impossible for products. Dropped: the borrow (2^-44).
   */
  #reducePair(sum: Pair): Word {
    const v = this.#v
    const a1 = v.add(this.#a1(sum), v.shiftRightSigned(sum.a0, 52))
    const word = v.select(v.constant(LOW52), sum.a0, v.shiftLeft(a1, 52))
    const q = v.shiftRight(a1, 12)
    const isSmall = sum.range1[1] < 2n ** 43n
    const base = isSmall ? word : v.subtract(word, v.shiftRight(a1, 44))
    return { word: this.#carried(base, v.multiply(q, v.constant(EPS))) }
  }

  repeat(step: Step, rows: ConstantRows, state: readonly Word[]): Word[] {
    return this.#steps.repeat(this, step, rows, state)
  }

  loadState(elements: number): Word[] {
    return this.kept(memory(rdi, this.#stateOffset), elements)
  }

  storeState(state: readonly Word[]): void {
    this.keep(memory(rdi, this.#stateOffset), state)
  }

  kept(place: Memory, elements: number): Word[] {
    return Array.from({ length: elements }, (_, i) => ({ word: this.#v.load(this.#at(place, i)) }))
  }

  keep(place: Memory, elements: readonly Word[]): void {
    elements.forEach(({ word }, i) => {
      this.#v.store(this.#at(place, i), word)
    })
  }

  #at(place: Memory, n: number): Memory {
    return { ...place, displacement: place.displacement + n * this.#v.bytes }
  }

  #a1({ a1: [first, second] }: Pair): Vector {
    return second ? this.#v.add(first, second) : first
  }

  #pair(a: WordSum): Pair {
    switch (a.form) {
      case "pair":
        return a
      case "product":
        a.pair ??= this.#product(a.a, a.b)
        return a.pair
      default:
        return this.#constantPair(a.form === "empty" ? 0n : a.constant)
    }
  }

  #constantPair(constant: Constant): Pair {
    return pair(
      this.#steps.constant(constant, "low 52", c => c & LOW52),
      [this.#steps.constant(constant, "high 12", c => c >> 52n)],
      [0n, LOW52],
      [0n, 4095n],
    )
  }

  /**
   * By 52-bit places, b1 and a1 the words' top 12 bits: lo(a b) + (hi(a b) + lo(a b1) + lo(a1 b)) 2^52 +
   * (hi(a b1) + hi(a1 b) + lo(a1 b1)) 2^104, and 2^104 ≡ −2^8.
   */
  #product(a: Word, b: Word): Pair {
    const v = this.#v
    const [x, y] = [v.register(a.word), v.register(b.word)]
    const [x1, y1] = [v.shiftRight(x, 52), v.shiftRight(y, 52)]
    const sum = (...terms: (readonly [string, Vector, Vector])[]) => {
      const total = v.copy(v.constant(0n))
      for (const [mnemonic, p, q] of terms) v.routine.emit(mnemonic, total, v.register(p), q)
      return total
    }
    const lower = sum(["vpmadd52luq", x, y])
    const middle = sum(["vpmadd52huq", x, y], ["vpmadd52luq", x, y1], ["vpmadd52luq", x1, y])
    const upper = sum(["vpmadd52huq", x, y1], ["vpmadd52huq", x1, y], ["vpmadd52luq", x1, y1])
    const most = (2n * 4095n + 4095n * 4095n) << 8n
    return pair(v.subtract(lower, v.shiftLeft(upper, 8)), [middle], [-most, LOW52], [0n, 3n * LOW52])
  }
}

/** The predicate of `vpcmpuq`. */
const LESS = 1

const digits = (c: bigint): [bigint, bigint] => [c & LOW52, c >> 52n]

/** @throws RangeError where a half of the sum could overflow */
function pair(a0: Vector, a1: Pair["a1"], range0: Range, range1: Range): Pair {
  if (range0[0] < -(2n ** 63n) || range0[1] >= 2n ** 63n || range1[1] >= 2n ** 64n)
    throw new RangeError("a sum in radix 2^52 would overflow")
  return { form: "pair", a0, a1, range0, range1 }
}

const sumOf = (a: Range, b: Range): Range => [a[0] + b[0], a[1] + b[1]]
