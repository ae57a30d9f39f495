/**
 * The vocabulary of `ops.ts` on AVX-512 with IFMA, whose multipliers add the low or the high 52 bits of a 52 × 52-bit
 * product to an accumulator. φ = 2^32, φ² ≡ φ − 1, 2^64 ≡ EPS = φ − 1 and 2^96 ≡ −1 modulo p.
 *
 * Elements are multiplied by each other as words or limbs, and by constants as parts (see `IfmaElement`). A sum of products
 * is A0 + A1 · 2^52 with unsigned 64-bit A0 and A1: the multipliers accumulate into it, and many products fit before it must
 * be reduced. A sum of elements is L + H φ.
 *
 * Carries and borrows that occur with a probability of about 2^-32 are dropped; comments note each one.
 */

import { mod } from "../../../pow/field.ts"
import { EPS } from "../../goldilocks.ts"
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import { immediate, mask } from "../assembler/operands.ts"
import type { LaneSet } from "../registers/lane-set.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"
import { type BatchOps, inOnePart, type StepPlan } from "./batch-ops.ts"
import { carryLimbs, productWords, squareWords } from "./limb-products.ts"
import { StateMemory } from "./state-memory.ts"
import type { Steps } from "./steps.ts"

/** An element in one or more forms. Other forms are computed on first use and are valid until the block ends. */
export interface IfmaElement {
  /** Any 64-bit word. */
  word?: Vector
  /**
   * x0 + x1 φ, where x0 and x1 are the low halves of the lanes, which the 32-bit multiplier reads. The high halves hold
   * unused bits, but those of `high` are 0 if `isHighWhole`.
   */
  limbs?: { readonly low: Vector; readonly high: Vector; readonly isHighWhole: boolean }
  parts?: Parts
}

/** low + high φ, whole 64-bit lanes that may exceed 32 bits: low in 0 … `lowMax`, high in 0 … `highMax`. */
interface Parts {
  readonly low: Vector
  readonly high: Vector
  readonly lowMax: bigint
  readonly highMax: bigint
}

/** A0 + A1 · 2^52, with A0 in 0 … `max0` and A1 in 0 … `max1`. */
interface Pair {
  readonly form: "pair"
  readonly a0: Vector
  readonly a1: Vector
  readonly max0: bigint
  readonly max1: bigint
}

/** L + H φ, both at most 2^52 − 1. */
type Small = Parts & { readonly form: "small" }

interface Product {
  readonly form: "product"
  readonly a: IfmaElement
  readonly b: IfmaElement
  readonly constant?: Constant
  /** The computed product, once it has been needed. */
  pair?: Pair
}

export type IfmaSum =
  | { readonly form: "empty" }
  | { readonly form: "constant"; readonly constant: Constant }
  /** Not multiplied yet: the best method depends on how the product is used. */
  | Product
  | Small
  | Pair

const LOW52 = 2n ** 52n - 1n
/** Parts below this bound can be multiplied by the top 12 bits of a constant within 52 bits. */
const PART_BOUND = 2n ** 40n
/** Up to this carry out of the high limb, the errors of dropping further carries (carry / 2^32) are accepted. */
const MAX_RARE_CARRY = 32n

export class IfmaOps implements BatchOps<IfmaElement, IfmaSum> {
  readonly productsTakeConstants = true
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes: number
  readonly #v: Vectors
  readonly #steps: Steps
  readonly #state: StateMemory
  #masks = 0

  /** @param stateOffset bytes from `STATE_POINTER` to this vector's state */
  constructor(vectors: Vectors, steps: Steps, stateOffset = 0) {
    this.laneSets = [vectors]
    this.#v = vectors
    this.#steps = steps
    this.#state = new StateMemory(vectors, stateOffset)
    this.stateBytes = this.#state.bytes
  }

  fromWords([words]: readonly Vector[]): IfmaElement {
    return { word: words! }
  }

  toWords(x: IfmaElement): Vector[] {
    return [this.#v.canonical(this.#word(x))]
  }

  /** Computes a². 15 instructions, 6 of them for the reduction. */
  square(a: IfmaElement): IfmaElement {
    const { lo, hi } = squareWords(this.#v, this.#limbs(a))
    return this.#fromProduct(lo, hi)
  }

  /** Computes a · b. 19 instructions. */
  multiply(a: IfmaElement, b: IfmaElement): IfmaElement {
    const { lo, hi } = productWords(this.#v, this.#limbs(a), this.#limbs(b))
    return this.#fromProduct(lo, hi)
  }

  /**
   * Computes lo + 2^64 hi modulo p as lo − (hi >> 32) + (hi & EPS) · EPS, plus EPS if that sum wraps. Returns a 64-bit
   * word, not necessarily canonical. Dropped: the borrow of the difference (2^-33).
   */
  #fromProduct(lo: Vector, hi: Vector): IfmaElement {
    const v = this.#v
    const addend = v.multiply(hi, v.constant(EPS))
    const word = v.add(v.subtract(lo, v.shiftRight(hi, 32)), addend)
    // k1 … k6 in turn: the scheduler preserves the order of accesses to the same mask register.
    const wrapped = mask(1 + (this.#masks++ % 6))
    v.routine.emit("vpcmpuq", wrapped, word, addend, immediate(LESS))
    v.routine.emitMasked("vpaddq", wrapped, word, word, v.constant(EPS))
    return { word }
  }

  product(a: IfmaElement, b: IfmaElement): IfmaSum {
    return { form: "product", a, b }
  }

  zero(): IfmaSum {
    return { form: "empty" }
  }

  widen(a: IfmaElement): IfmaSum {
    const { low, high, lowMax, highMax } = this.#parts(a)
    return { form: "small", low, high, lowMax, highMax }
  }

  add(a: IfmaSum, b: IfmaSum): IfmaSum {
    const v = this.#v
    if (a.form === "empty") return b
    if (b.form === "empty") return a
    if (a.form === "constant") return this.addConstant(b, a.constant)
    if (b.form === "constant") return this.addConstant(a, b.constant)
    if (a.form === "small" && b.form === "small") {
      const [lowMax, highMax] = [a.lowMax + b.lowMax, a.highMax + b.highMax]
      if (isSmall(lowMax, highMax))
        return { form: "small", low: v.add(a.low, b.low), high: v.add(a.high, b.high), lowMax, highMax }
    }
    if (a.form === "small") return this.#plusSmall(this.#pair(b), a)
    if (b.form === "small") return this.#plusSmall(this.#pair(a), b)
    const x = this.#pair(a)
    const y = this.#pair(b)
    return pair(v.add(x.a0, y.a0), v.add(x.a1, y.a1), x.max0 + y.max0, x.max1 + y.max1)
  }

  /** Adds L + H φ, with H φ = lo(H · 2^32) + hi(H · 2^32) · 2^52: the multiplier shifts, splits and adds. */
  #plusSmall({ a0, a1, max0, max1 }: Pair, { low, high, lowMax, highMax }: Small): Pair {
    const v = this.#v
    const shift = v.constant(2n ** 32n)
    return pair(
      this.#accumulate(v.add(a0, low), [["vpmadd52luq", high, shift]]),
      this.#accumulate(a1, [["vpmadd52huq", high, shift]]),
      max0 + lowMax + LOW52,
      max1 + (highMax >> 20n),
    )
  }

  double(a: IfmaSum): IfmaSum {
    const once = a.form === "product" ? this.#pair(a) : a
    return this.add(once, once)
  }

  addConstant(a: IfmaSum, constant: Constant): IfmaSum {
    const v = this.#v
    switch (a.form) {
      case "empty":
        return { form: "constant", constant }
      case "product":
        if (a.constant === undefined) return { form: "product", a: a.a, b: a.b, constant }
        break
      case "small": {
        const [lowMax, highMax] = [a.lowMax + EPS, a.highMax + EPS]
        if (!isSmall(lowMax, highMax)) break
        const low = this.#steps.constant(this.#v, constant, "low 32", c => c & EPS)
        const high = this.#steps.constant(this.#v, constant, "high 32", c => c >> 32n)
        return { form: "small", low: v.add(a.low, low), high: v.add(a.high, high), lowMax, highMax }
      }
    }
    return this.add(this.#pair(a), this.#constantPair(constant))
  }

  /**
   * Computes sum + x · c with x = x0 + x1 φ, c = c0 + c1 2^52 and φ c ≡ d = d0 + d1 2^52, in six multiply-adds: x0 c1 and
   * x1 d1 are below 2^52. Assumes x0, x1 < `PART_BOUND`.
   */
  multiplyAdd(sum: IfmaSum, a: IfmaElement, constant: Constant): IfmaSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    const v = this.#v
    const base = this.#pair(sum)
    const { low, high, lowMax, highMax } = this.#parts(a)
    if (lowMax >= PART_BOUND || highMax >= PART_BOUND)
      throw new RangeError("an element is too large to be multiplied by a constant")
    let { max0, max1 } = base
    const terms: { 0: Term[]; 1: Term[] } = { 0: [], 1: [] }
    const term = (to: 0 | 1, mnemonic: Term[0], x: Vector, digit: bigint, max: bigint) => {
      if (max === 0n) return
      terms[to].push([mnemonic, x, v.constant(digit)])
      if (to === 0) max0 += max
      else max1 += max
    }
    const multiplyPart = (x: Vector, max: bigint, [digit0, digit1]: readonly [bigint, bigint]) => {
      const productMax = max * digit0
      term(0, "vpmadd52luq", x, digit0, productMax < LOW52 ? productMax : LOW52)
      term(1, "vpmadd52huq", x, digit0, productMax >> 52n)
      term(1, "vpmadd52luq", x, digit1, max * digit1)
    }
    multiplyPart(low, lowMax, digits(constant))
    multiplyPart(high, highMax, digits(mod(constant << 32n)))
    return pair(this.#accumulate(base.a0, terms[0]), this.#accumulate(base.a1, terms[1]), max0, max1)
  }

  #accumulate(base: Vector, terms: readonly Term[]): Vector {
    if (terms.length === 0) return base
    const v = this.#v
    const sum = v.copy(base)
    for (const [mnemonic, x, y] of terms) v.routine.emit(mnemonic, sum, v.register(x), y)
    return sum
  }

  reduce(a: IfmaSum): IfmaElement {
    if (a.form === "product" && a.constant === undefined) return this.multiply(a.a, a.b)
    if (a.form === "small" && (a.highMax + (a.lowMax >> 32n)) >> 32n <= MAX_RARE_CARRY) {
      const { low, high } = carryLimbs(this.#v, a)
      return limbs(low, high)
    }
    return this.#reducePair(this.#pair(a))
  }

  /**
   * Computes A0 + A1 2^52 as limbs. With A1 = 4096 q + r, it is ≡ (A0 − q) + (r 2^20 + q) φ. Limbs ignore high halves, so
   * A1 2^20 = r 2^20 + q φ replaces r 2^20: the excess q in the high half of the sum is the term that must be added to the
   * sum's carry anyway. Dropped: a borrow and a carry, each with probability carry / 2^32. 9 instructions.
   */
  #reducePair({ a0, a1, max0, max1 }: Pair): IfmaElement {
    const v = this.#v
    if ((EPS + (max1 >> 12n) + (max0 >> 32n)) >> 32n > MAX_RARE_CARRY) return this.#reduceLargePair(a0, a1)
    const q = v.shiftRight(a1, 12)
    const upper = v.add(v.shiftLeft(a1, 20), v.shiftRightSigned(v.subtract(a0, q), 32))
    const both = v.shiftRight(v.add(upper, q), 32)
    return limbs(v.subtract(a0, both), v.add(upper, both))
  }

  /** Like `#reducePair`, for q = q0 + q1 φ of more than 32 bits: q 2^64 ≡ q0 φ − q0 − q1. 11 instructions. */
  #reduceLargePair(a0: Vector, a1: Vector): IfmaElement {
    const v = this.#v
    const shifted = v.shiftLeft(a1, 20)
    const q0 = v.shiftRight(shifted, 32)
    const rest = v.subtract(a0, v.shiftRight(a1, 44))
    const upper = v.add(shifted, v.shiftRightSigned(v.subtract(rest, q0), 32))
    const both = v.shiftRight(v.add(upper, q0), 32)
    return limbs(v.subtract(rest, both), v.add(upper, both))
  }

  /**
   * Computes the sum as parts: low in 0 … 2^32 − 1, high < `PART_BOUND`, including the carry from low. 8 instructions; the
   * parts need no further split before a multiplication by a constant.
   */
  reduceLinear(a: IfmaSum): IfmaElement {
    const { a0, a1, max0, max1 } = this.#pair(a)
    const highMax = EPS + (max1 >> 12n) + (max0 >> 32n)
    if (highMax >= PART_BOUND) return this.reduce(a)
    const v = this.#v
    const q = v.shiftRight(a1, 12)
    const low = v.subtract(a0, q)
    const r = v.shiftRight(v.shiftLeft(a1, 52), 32)
    const high = v.add(v.add(r, q), v.shiftRightSigned(low, 32))
    return { parts: { low: v.low(low), high, lowMax: EPS, highMax } }
  }

  /** Returns an equal pair with a small A1, so that sums with it need only `#reducePair`: `a` itself if A1 < 2^30. */
  settle(a: IfmaSum): IfmaSum {
    const x = this.#pair(a)
    return x.max1 < 2n ** 30n ? x : this.#pair(this.widen(this.reduceLinear(x)))
  }

  planOf = (): StepPlan => inOnePart(this)

  repeat(step: Step, table: ConstantTable, state: readonly IfmaElement[]): IfmaElement[] {
    return this.#steps.repeat(this, step, table, state)
  }

  /** Linear elements are stored as parts, others as limbs. */
  loadState(elements: number, linearFrom = elements): IfmaElement[] {
    return this.#state
      .load(elements, () => ({ isHighWhole: false, lowMax: EPS, highMax: PART_BOUND - 1n }))
      .map((x, i) => (i < linearFrom ? { limbs: x } : { parts: x }))
  }

  storeState(state: readonly IfmaElement[], linearFrom = state.length): void {
    this.#state.store(state.map((x, i) => (i < linearFrom ? this.#limbs(x) : this.#linearParts(x))))
  }

  #linearParts(x: IfmaElement): Parts {
    const parts = this.#parts(x)
    if (parts.lowMax > EPS || parts.highMax >= PART_BOUND)
      throw new RangeError("a linear element exceeds the range that a step assumes")
    return parts
  }

  #word(x: IfmaElement): Vector {
    if (x.word === undefined) {
      const { low, high } = this.#limbs(x)
      x.word = this.#v.halves(low, high)
    }
    return x.word
  }

  #limbs(x: IfmaElement): NonNullable<IfmaElement["limbs"]> {
    x.limbs ??= x.word
      ? { low: this.#v.register(x.word), high: this.#v.shiftRight(x.word, 32), isHighWhole: true }
      : this.#limbsOf(x.parts!)
    return x.limbs
  }

  #limbsOf(parts: Parts): NonNullable<IfmaElement["limbs"]> {
    const { low, high, highMax } = parts
    if (highMax <= EPS) return { low, high, isHighWhole: true }
    return { ...carryLimbs(this.#v, parts), isHighWhole: false }
  }

  #parts(x: IfmaElement): Parts {
    if (!x.parts) {
      const { low, high, isHighWhole } = this.#limbs(x)
      x.parts = {
        low: this.#v.low(low),
        high: isHighWhole ? high : this.#v.low(high),
        lowMax: EPS,
        highMax: EPS,
      }
    }
    return x.parts
  }

  #pair(a: IfmaSum): Pair {
    switch (a.form) {
      case "pair":
        return a
      case "product":
        a.pair ??= this.#product(a.a, a.b, a.constant ?? 0n)
        return a.pair
      case "small":
        return this.#plusSmall(this.#constantPair(0n), a)
      default:
        return this.#constantPair(a.form === "empty" ? 0n : a.constant)
    }
  }

  #constantPair(constant: Constant): Pair {
    return pair(
      this.#steps.constant(this.#v, constant, "low 52", c => c & LOW52),
      this.#steps.constant(this.#v, constant, "high 12", c => c >> 52n),
      constant === 0n ? 0n : LOW52,
      constant === 0n ? 0n : 4095n,
    )
  }

  /**
   * Computes a · b + constant in radix 2^52. With a1 and b1 the top 12 bits of the words, a · b is
   * lo(a b) + (hi(a b) + lo(a b1) + lo(a1 b)) 2^52 + U 2^104, U = hi(a b1) + hi(a1 b) + lo(a1 b1), and 2^104 ≡ −256.
   * U starts at 1 so that lo(U (2^52 − 256)) = 2^52 − 256 U; the constant compensates for both. 10 instructions.
   */
  #product(a: IfmaElement, b: IfmaElement, constant: Constant): Pair {
    const v = this.#v
    const [x, y] = [v.register(this.#word(a)), v.register(this.#word(b))]
    const [x1, y1] = [v.shiftRight(x, 52), v.shiftRight(y, 52)]
    const start = (c: bigint) => mod(c + 256n - 2n ** 52n)
    const upper = this.#accumulate(v.constant(1n), [
      ["vpmadd52huq", x, y1],
      ["vpmadd52huq", x1, y],
      ["vpmadd52luq", x1, y1],
    ])
    const lower = this.#accumulate(
      this.#steps.constant(this.#v, constant, "product low", c => start(c) & LOW52),
      [
        ["vpmadd52luq", x, y],
        ["vpmadd52luq", upper, v.constant(2n ** 52n - 256n)],
      ],
    )
    const middle = this.#accumulate(
      this.#steps.constant(this.#v, constant, "product high", c => start(c) >> 52n),
      [
        ["vpmadd52huq", x, y],
        ["vpmadd52luq", x, y1],
        ["vpmadd52luq", x1, y],
      ],
    )
    return pair(lower, middle, 3n * LOW52, 3n * LOW52 + 4095n)
  }
}

/** A multiply-add: the low or the high 52 bits of x · y are added to an accumulator. */
type Term = readonly [mnemonic: "vpmadd52luq" | "vpmadd52huq", x: Vector, y: Vector]

/** The predicate of `vpcmpuq`. */
const LESS = 1

const digits = (c: bigint): [bigint, bigint] => [c & LOW52, c >> 52n]

const limbs = (low: Vector, high: Vector): IfmaElement => ({ limbs: { low, high, isHighWhole: false } })

/** Whether L and H fit 52 bits, as `Small` requires. */
const isSmall = (lowMax: bigint, highMax: bigint): boolean => lowMax <= LOW52 && highMax <= LOW52

/** @throws RangeError if A0 could reach 2^63 or A1 2^64 */
function pair(a0: Vector, a1: Vector, max0: bigint, max1: bigint): Pair {
  if (max0 >= 2n ** 63n || max1 >= 2n ** 64n) throw new RangeError("a sum in radix 2^52 would overflow")
  return { form: "pair", a0, a1, max0, max1 }
}
