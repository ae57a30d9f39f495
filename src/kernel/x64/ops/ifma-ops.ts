/**
 * The vocabulary of `ops.ts` on AVX-512 with IFMA, whose multipliers add the low or the high 52 bits of a 52 × 52-bit
 * product to an accumulator. φ = 2^32, φ² ≡ φ − 1, 2^64 ≡ EPS = φ − 1 and 2^96 ≡ −1 modulo p.
 *
 * Elements are multiplied by each other as words or as limbs, and by constants as parts (see `IfmaElement`). A sum of
 * products is A0 + A1 · 2^52, neither negative, both in 64 bits: products add to it where they are made, and many fit
 * before one reduction. A sum of elements is L + H φ.
 *
 * Carries and borrows that fire with a probability around 2^-32 are dropped; each is noted where it happens.
 */

import { mod } from "../../../pow/field.ts"
import { EPS } from "../../goldilocks.ts"
import type { Constant, ConstantRows, Step } from "../../ops.ts"
import { immediate, mask } from "../assembler/operands.ts"
import type { LaneSet } from "../registers/lane-set.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"
import { atOnce, type BatchOps, type Turns } from "./batch-ops.ts"
import { carryLimbs, productWords, squareWords } from "./limb-products.ts"
import { StateMemory } from "./state-memory.ts"
import type { Steps } from "./steps.ts"

/** An element in one form or more; what else is needed is made of those once, good until the block ends. */
export interface IfmaElement {
  /** Any 64 bits. */
  word?: Vector
  /** x0 + x1 φ, of which only the low halves count: what the 32-bit multiplier reads. */
  limbs?: { readonly low: Vector; readonly high: Vector; readonly isHighWhole: boolean }
  /** x0 + x1 φ as whole vectors, not above these: x0 and x1 can have more than 32 bits. */
  parts?: Parts
}

interface Parts {
  readonly low: Vector
  readonly high: Vector
  readonly lowMax: bigint
  readonly highMax: bigint
}

/** A0 + A1 · 2^52 */
interface Pair {
  readonly form: "pair"
  readonly a0: Vector
  readonly a1: Vector
  readonly max0: bigint
  readonly max1: bigint
}

/** L + H φ, both below 2^52. */
type Small = Parts & { readonly form: "small" }

interface Product {
  readonly form: "product"
  readonly a: IfmaElement
  readonly b: IfmaElement
  readonly constant?: Constant
  /** Once it was needed. */
  pair?: Pair
}

export type IfmaSum =
  | { readonly form: "empty" }
  | { readonly form: "constant"; readonly constant: Constant }
  /** Not multiplied yet: how depends on what becomes of it. */
  | Product
  | Small
  | Pair

const LOW52 = 2n ** 52n - 1n
/** Parts below this are multiplied by a constant's top 12 bits without leaving 52. */
const PART = 2n ** 40n
/** Carries out of a limb as large as this are as rare as those that are dropped anyway. */
const FEW = 32n

export class IfmaOps implements BatchOps<IfmaElement, IfmaSum> {
  readonly productsTakeConstants = true
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes: number
  readonly #v: Vectors
  readonly #steps: Steps
  readonly #state: StateMemory
  #masks = 0

  /** @param stateOffset bytes from `STATE_POINTER` to the slots through which a state goes into a step and out of it */
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

  /** 15 instructions, 6 of them to reduce. */
  square(a: IfmaElement): IfmaElement {
    const { lo, hi } = squareWords(this.#v, this.#limbs(a))
    return this.#fromProduct(lo, hi)
  }

  /** 19 instructions. */
  multiply(a: IfmaElement, b: IfmaElement): IfmaElement {
    const { lo, hi } = productWords(this.#v, this.#limbs(a), this.#limbs(b))
    return this.#fromProduct(lo, hi)
  }

  /**
   * lo + 2^64 hi ≡ lo − (hi >> 32) + (hi & EPS) · EPS, and EPS more where that sum wraps. Dropped: the difference's borrow
   * (2^-33).
   */
  #fromProduct(lo: Vector, hi: Vector): IfmaElement {
    const v = this.#v
    const addend = v.multiply(hi, v.constant(EPS))
    const word = v.add(v.subtract(lo, v.shiftRight(hi, 32)), addend)
    // k1 … k6 in turn; the scheduler keeps those in use apart.
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

  /** H φ is lo(H · 2^32) + hi(H · 2^32) 2^52: the multiplier shifts, parts and adds. */
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
   * With x = x0 + x1 φ, c = c0 + c1 2^52 and φ c ≡ d = d0 + d1 2^52: six multiplications that add, and no other
   * instruction, as x0 c1 and x1 d1 are below 2^52.
   */
  multiplyAdd(sum: IfmaSum, a: IfmaElement, constant: Constant): IfmaSum {
    if (typeof constant !== "bigint") throw new TypeError("rows of constants are added only")
    const v = this.#v
    const base = this.#pair(sum)
    const { low, high, lowMax, highMax } = this.#parts(a)
    if (lowMax >= PART || highMax >= PART)
      throw new RangeError("an element is too large to be multiplied by a constant")
    let { max0, max1 } = base
    const terms: { 0: Term[]; 1: Term[] } = { 0: [], 1: [] }
    const term = (to: 0 | 1, mnemonic: Term[0], x: Vector, digit: bigint, most: bigint) => {
      if (most === 0n) return
      terms[to].push([mnemonic, x, v.constant(digit)])
      if (to === 0) max0 += most
      else max1 += most
    }
    const multiplyPart = (x: Vector, max: bigint, [digit0, digit1]: readonly [bigint, bigint]) => {
      const most = max * digit0
      term(0, "vpmadd52luq", x, digit0, most < LOW52 ? most : LOW52)
      term(1, "vpmadd52huq", x, digit0, most >> 52n)
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
    if (a.form === "small" && (a.highMax + (a.lowMax >> 32n)) >> 32n <= FEW) {
      const { low, high } = carryLimbs(this.#v, a)
      return limbs(low, high)
    }
    return this.#reducePair(this.#pair(a))
  }

  /**
   * With A1 = 4096 q + r: A0 + r 2^52 + q 2^64 ≡ (A0 − q) + (r 2^20 + q) φ. As in limbs only low halves count, r 2^20 is
   * taken as A1 2^20 = r 2^20 + q φ: what the high half of a sum with it has too much, q, is what the sum's carry would
   * have to be joined with anyway. Dropped: a borrow and a carry (carry / 2^32 each). 9 instructions.
   */
  #reducePair({ a0, a1, max0, max1 }: Pair): IfmaElement {
    const v = this.#v
    if ((EPS + (max1 >> 12n) + (max0 >> 32n)) >> 32n > FEW) return this.#reduceLargePair(a0, a1)
    const q = v.shiftRight(a1, 12)
    const upper = v.add(v.shiftLeft(a1, 20), v.shiftRightSigned(v.subtract(a0, q), 32))
    const both = v.shiftRight(v.add(upper, q), 32)
    return limbs(v.subtract(a0, both), v.add(upper, both))
  }

  /** The same for q = q0 + q1 φ of more than 32 bits: q 2^64 ≡ q0 φ − q0 − q1. 11 instructions. */
  #reduceLargePair(a0: Vector, a1: Vector): IfmaElement {
    const v = this.#v
    const shifted = v.shiftLeft(a1, 20)
    const q0 = v.shiftRight(shifted, 32)
    const rest = v.subtract(a0, v.shiftRight(a1, 44))
    const upper = v.add(shifted, v.shiftRightSigned(v.subtract(rest, q0), 32))
    const both = v.shiftRight(v.add(upper, q0), 32)
    return limbs(v.subtract(rest, both), v.add(upper, both))
  }

  /** Parts, the high one with what the low one had too much: 8 instructions, and none to part it again. */
  reduceLinear(a: IfmaSum): IfmaElement {
    const { a0, a1, max0, max1 } = this.#pair(a)
    const highMax = EPS + (max1 >> 12n) + (max0 >> 32n)
    if (highMax >= PART) return this.reduce(a)
    const v = this.#v
    const q = v.shiftRight(a1, 12)
    const low = v.subtract(a0, q)
    const r = v.shiftRight(v.shiftLeft(a1, 52), 32)
    const high = v.add(v.add(r, q), v.shiftRightSigned(low, 32))
    return { parts: { low: v.low(low), high, lowMax: EPS, highMax } }
  }

  /** A pair whose A1 adds little to what is reduced after it. */
  settle(a: IfmaSum): IfmaSum {
    const x = this.#pair(a)
    return x.max1 < 2n ** 30n ? x : this.#pair(this.widen(this.reduceLinear(x)))
  }

  turns = (): Turns => atOnce(this)

  repeat(step: Step, rows: ConstantRows, state: readonly IfmaElement[]): IfmaElement[] {
    return this.#steps.repeat(this, step, rows, state)
  }

  /** Linear elements are kept as parts, others as limbs. */
  loadState(elements: number, linearFrom = elements): IfmaElement[] {
    return this.#state
      .load(elements, () => ({ isHighWhole: false, lowMax: EPS, highMax: PART - 1n }))
      .map((x, i) => (i < linearFrom ? { limbs: x } : { parts: x }))
  }

  storeState(state: readonly IfmaElement[], linearFrom = state.length): void {
    this.#state.store(state.map((x, i) => (i < linearFrom ? this.#limbs(x) : this.#linearParts(x))))
  }

  #linearParts(x: IfmaElement): Parts {
    const parts = this.#parts(x)
    if (parts.lowMax > EPS || parts.highMax >= PART) throw new RangeError("a linear element would grow with every step")
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
   * By 52-bit places, b1 and a1 the words' top 12 bits: lo(a b) + (hi(a b) + lo(a b1) + lo(a1 b)) 2^52 + U 2^104 with
   * U = hi(a b1) + hi(a1 b) + lo(a1 b1), and 2^104 ≡ −256. With U started at 1, lo(U (2^52 − 256)) is 2^52 − 256 U; the
   * constant makes up for both. 10 instructions.
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

/** What is added to an accumulator: the low or the high 52 bits of x · y. */
type Term = readonly [mnemonic: "vpmadd52luq" | "vpmadd52huq", x: Vector, y: Vector]

/** The predicate of `vpcmpuq`. */
const LESS = 1

const digits = (c: bigint): [bigint, bigint] => [c & LOW52, c >> 52n]

const limbs = (low: Vector, high: Vector): IfmaElement => ({ limbs: { low, high, isHighWhole: false } })

/** Whether H is not too large for the multiplier, nor L for what is added to it. */
const isSmall = (lowMax: bigint, highMax: bigint): boolean => lowMax <= LOW52 && highMax <= LOW52

/** @throws RangeError where a half of the sum could overflow */
function pair(a0: Vector, a1: Vector, max0: bigint, max1: bigint): Pair {
  if (max0 >= 2n ** 63n || max1 >= 2n ** 64n) throw new RangeError("a sum in radix 2^52 would overflow")
  return { form: "pair", a0, a1, max0, max1 }
}
