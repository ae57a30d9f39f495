/**
 * The vocabulary of `ops.ts` on vectors with 32 × 32-bit multipliers (AVX2, and AVX-512 without IFMA). φ = 2^32,
 * φ² ≡ φ − 1, φ³ ≡ −1 modulo p.
 *
 * An element x = x0 + x1 φ is a pair of vectors, with x0 and x1 in the low halves of the lanes. The multiplier ignores the
 * high halves, so that no masks or shifts are needed between multiplications.
 *
 * A sum has one of two forms. As *limbs*, it is L + H φ with integers L and H of known range. As a *wrapped* sum, T is held
 * as low = T mod 2^64 and high ≈ T / 2^32 (see `goldilocks.ts`), which takes two additions per term for any number of terms.
 *
 * Carries and borrows that occur with a probability of about 2^-32 are dropped; comments note each one.
 */

import { P } from "../../../pow/field.ts"
import { type Multiplier, multiplier } from "../../digits.ts"
import { EPS, PHI } from "../../goldilocks.ts"
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import type { LaneSet } from "../registers/lane-set.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"
import { type BatchOps, inOnePart, type StepPlan } from "./batch-ops.ts"
import { carryLimbs, limbProducts, productWords, squareWords } from "./limb-products.ts"
import { StateMemory } from "./state-memory.ts"
import type { Steps } from "./steps.ts"

export interface LimbElement {
  readonly low: Vector
  readonly high: Vector
  /** Whether the high halves of `low` are 0. */
  readonly lowClean: boolean
  /** Whether the high halves of `high` are 0. */
  readonly highClean: boolean
}

interface Limbs {
  readonly form: "limbs"
  readonly low: Vector
  readonly high: Vector
  /** Bounds of L and H. */
  readonly lowRange: Range
  readonly highRange: Range
  /** This sum with constants added to L and H, by those constants. */
  readonly shifted: Map<string, Limbs>
}

interface Wrapped {
  readonly form: "wrapped"
  readonly low: Vector
  readonly high: Vector
  /** The expected value of T / 2^64 for uniformly distributed elements. */
  readonly mean: number
  /** The largest |T| / 2^64. */
  readonly max: number
  /** The expected value of T / 2^32 − high. */
  readonly cut: number
}

export type LimbSum =
  | { readonly form: "empty" }
  | { readonly form: "constant"; readonly constant: Constant }
  /** Not multiplied yet: the best method depends on how the product is used. */
  | Product
  | Limbs
  | Wrapped

interface Product {
  readonly form: "product"
  readonly a: LimbElement
  readonly b: LimbElement
  /** The computed product, once it has been needed. */
  wrapped?: Wrapped
}

type Range = readonly [min: bigint, max: bigint]

const WORD = 2n ** 64n
/** If |c| + |d| reaches this bound, x0 |c| + x1 |d| is assumed to exceed any sum that it is subtracted from. */
const LARGE_DIGITS = 2n ** 29n
/** Limbs below this bound leave room for one product: the probability of an overflow is below 2^-27. */
const SMALL = 2n ** 37n

export class LimbOps implements BatchOps<LimbElement, LimbSum> {
  readonly productsTakeConstants = false
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes: number
  readonly #v: Vectors
  readonly #steps: Steps
  readonly #state: StateMemory

  /** @param stateOffset bytes from `STATE_POINTER` to this vector's state */
  constructor(vectors: Vectors, steps: Steps, stateOffset = 0) {
    this.laneSets = [vectors]
    this.#v = vectors
    this.#steps = steps
    this.#state = new StateMemory(vectors, stateOffset)
    this.stateBytes = this.#state.bytes
  }

  fromWords([words]: readonly Vector[]): LimbElement {
    return this.#packed(this.#v.register(words!))
  }

  toWords(x: LimbElement): Vector[] {
    return [this.#v.canonical(this.#v.halves(x.low, x.high))]
  }

  /** Computes a². 18 instructions, 9 of them for the reduction. */
  square(a: LimbElement): LimbElement {
    const { lo, hi } = squareWords(this.#v, a)
    return this.#fromProduct(lo, hi)
  }

  /** Computes a · b. 9 instructions more than `productWords`. */
  multiply(a: LimbElement, b: LimbElement): LimbElement {
    const { lo, hi } = productWords(this.#v, a, b)
    return this.#fromProduct(lo, hi)
  }

  /**
   * Computes lo + w φ² ≡ lo − w0 − w1 + w0 φ with w = w0 + w1 φ, as limbs. Dropped: the borrow of the difference (2^-32) and
   * the borrow and carry of the last two operations (2^-33 each).
   */
  #fromProduct(lo: Vector, w: Vector): LimbElement {
    const v = this.#v
    const w0 = v.low(w)
    const difference = v.subtract(v.subtract(lo, v.shiftRight(w, 32)), w0)
    const upper = v.add(v.shiftRight(difference, 32), w0)
    const carry = v.shiftRight(upper, 32)
    return element(v.subtract(difference, carry), v.add(upper, carry))
  }

  product(a: LimbElement, b: LimbElement): LimbSum {
    return { form: "product", a, b }
  }

  zero(): LimbSum {
    return { form: "empty" }
  }

  widen(a: LimbElement): LimbSum {
    const low = a.lowClean ? a.low : this.#v.low(a.low)
    const high = a.highClean ? a.high : this.#v.low(a.high)
    return limbs(low, high, [0n, EPS], [0n, EPS])
  }

  add(a: LimbSum, b: LimbSum): LimbSum {
    const v = this.#v
    if (a.form === "empty") return b
    if (b.form === "empty") return a
    if (a.form === "constant") return this.addConstant(b, a.constant)
    if (b.form === "constant") return this.addConstant(a, b.constant)
    if (a.form === "limbs" && b.form === "limbs") {
      const lowRange = sumOf(a.lowRange, b.lowRange)
      const highRange = sumOf(a.highRange, b.highRange)
      if (isSmall(lowRange) && isSmall(highRange))
        return limbs(v.add(a.low, b.low), v.add(a.high, b.high), lowRange, highRange)
    }
    return this.#addWrapped(this.#wrap(a), this.#wrap(b))
  }

  #addWrapped(a: Wrapped, b: Wrapped): Wrapped {
    const v = this.#v
    return bounded({
      form: "wrapped",
      low: v.add(a.low, b.low),
      high: v.add(a.high, b.high),
      mean: a.mean + b.mean,
      max: a.max + b.max,
      cut: a.cut + b.cut,
    })
  }

  double(a: LimbSum): LimbSum {
    const once = a.form === "product" ? this.#wrap(a) : a
    return this.add(once, once)
  }

  addConstant(a: LimbSum, constant: Constant): LimbSum {
    const v = this.#v
    if (a.form === "empty") return { form: "constant", constant }
    if (a.form === "constant") return this.addConstant(this.#materialize(a), constant)
    if (a.form === "limbs" && isSmall(a.lowRange) && isSmall(a.highRange)) {
      const low = this.#steps.constant(this.#v, constant, "low", c => c & EPS)
      const high = this.#steps.constant(this.#v, constant, "high", c => c >> 32n)
      const digit: Range = [0n, EPS]
      return limbs(v.add(a.low, low), v.add(a.high, high), sumOf(a.lowRange, digit), sumOf(a.highRange, digit))
    }
    return this.#addCentred(this.#wrap(a), constant)
  }

  /**
   * Computes T + c − centre · p, which has a mean near 0. `high` also gains bias · 2^32, which keeps it positive; `low`
   * loses bias · EPS, which the reduction adds back through the larger quotient.
   */
  #addCentred(a: Wrapped, constant: Constant): Wrapped {
    const v = this.#v
    const centre = BigInt(Math.round(a.mean))
    const correction = BigInt(Math.round(a.cut))
    const bias = BigInt(Math.ceil(a.max)) + 2n + centre
    const name = `${centre},${correction},${bias}`
    const low = this.#steps.constant(this.#v, constant, `${name} low`, c => c - centre * P - bias * EPS)
    const high = this.#steps.constant(
      this.#v,
      constant,
      `${name} high`,
      c => ((c - centre * P) >> 32n) + correction + (bias << 32n),
    )
    return bounded({
      form: "wrapped",
      low: v.add(a.low, low),
      high: v.add(a.high, high),
      mean: 0,
      max: Number(2n * bias),
      cut: 0,
    })
  }

  multiplyAdd(sum: LimbSum, a: LimbElement, constant: Constant): LimbSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    if (constant === 0n) return sum
    const base = sum.form === "constant" ? this.#materialize(sum) : sum
    if (base.form === "empty") return this.#multiplyAdd(undefined, a, multiplier(constant))
    if (base.form === "limbs" && isSmall(base.lowRange) && isSmall(base.highRange))
      return this.#multiplyAdd(base, a, multiplier(constant))
    return this.add(base, this.widen(this.reduce(this.#multiplyAdd(undefined, a, multiplier(constant)))))
  }

  /**
   * Computes L ± (x0 |c0| + x1 |d0|) and H ± (x0 |c1| + x1 |d1|). The sign of a difference must be known:
   *
   * - With large digits the difference is assumed negative. Read as unsigned it is 2^64 too large; 2^64 ≡ φ − 1 in L and
   *   2^64 φ ≡ −1 in H are compensated in advance. Dropped: the case of a product below the sum (probability
   *   below 2^-23, and far less for the digits of the diagonal).
   * - With small digits, k (φ + 1) + k (φ − 2) φ ≡ 0 is first added to the sum, with k (φ − 2) above anything subtracted.
   */
  #multiplyAdd(base: Limbs | undefined, a: LimbElement, { c, d }: Multiplier): Limbs {
    const low = subtrahend(c[0], d[0])
    const high = subtrahend(c[1], d[1])
    const offset: [bigint, bigint] = [0n, 0n]
    if (low.large) offset[0] += 1n
    if (low.large) offset[1] -= 1n
    if (high.large) offset[0] += 1n
    const largest = [low, high].reduce((max, { large, max: own }) => (large || own < max ? max : own), 0n)
    const k = largest === 0n ? 0n : largest / PHI + 3n
    offset[0] += k * (PHI + 1n)
    offset[1] += k * (PHI - 2n)
    const from = this.#shifted(base, offset)
    const zero: Range = [0n, 0n]
    const lowSum = this.#accumulate(from?.low, low.max > 0n, this.#combination(a, c[0], d[0]))
    const highSum = this.#accumulate(from?.high, high.max > 0n, this.#combination(a, c[1], d[1]))
    const v = this.#v
    return limbs(
      lowSum ?? v.constant(0n),
      highSum ?? v.constant(0n),
      rangeWith(from?.lowRange ?? zero, c[0] + d[0], low.large),
      rangeWith(from?.highRange ?? zero, c[1] + d[1], high.large),
    )
  }

  #accumulate(base: Vector | undefined, negative: boolean, term: Vector | undefined): Vector | undefined {
    const v = this.#v
    if (!term) return base
    if (negative) return v.subtract(base ?? v.constant(0n), term)
    return base ? v.add(base, term) : term
  }

  /** Computes x0 |c| + x1 |d| in 0 … 2^64 − 1; undefined if both digits are 0. */
  #combination({ low, high }: LimbElement, c: bigint, d: bigint): Vector | undefined {
    const v = this.#v
    const abs = (x: bigint) => (x < 0n ? -x : x)
    const first = c ? v.multiply(low, v.constant(abs(c))) : undefined
    const second = d ? v.multiply(high, v.constant(abs(d))) : undefined
    return first && second ? v.add(first, second) : (first ?? second)
  }

  #shifted(base: Limbs | undefined, [low, high]: readonly [bigint, bigint]): Limbs | undefined {
    const v = this.#v
    if (low === 0n && high === 0n) return base
    if (!base) {
      const wordOf = (n: bigint) => v.constant(BigInt.asUintN(64, n))
      return limbs(wordOf(low), wordOf(high), [low, low], [high, high])
    }
    const key = `${low},${high}`
    const known = base.shifted.get(key)
    if (known) return known
    const plus = (x: Vector, n: bigint) => (n === 0n ? x : v.add(x, v.constant(BigInt.asUintN(64, n))))
    const fresh = limbs(
      plus(base.low, low),
      plus(base.high, high),
      sumOf(base.lowRange, [low, low]),
      sumOf(base.highRange, [high, high]),
    )
    base.shifted.set(key, fresh)
    return fresh
  }

  reduce(a: LimbSum): LimbElement {
    switch (a.form) {
      case "product":
        return this.multiply(a.a, a.b)
      case "limbs":
        return isSmall(a.lowRange) && isSmall(a.highRange) ? this.#carried(a) : this.#reduceLimbs(a)
      case "wrapped":
        return this.#reduceWrapped(a)
      default:
        return this.#carried(this.#materialize(a))
    }
  }

  reduceLinear(a: LimbSum): LimbElement {
    return this.reduce(a)
  }

  #carried(sum: Limbs): LimbElement {
    const { low, high } = carryLimbs(this.#v, sum)
    return element(low, high)
  }

  /**
   * Computes L + H φ as limbs. With H = H0 + H1 φ, it is ≡ L' + (H0 + H1) φ, L' = L − H1. H is not split, because limbs
   * ignore high halves: with X = H + H1 + (L' >> 32), X >> 32 is H1 plus the carry.
   */
  #reduceLimbs({ low, high }: Limbs): LimbElement {
    const v = this.#v
    const h1 = v.shiftRight(high, 32)
    const upper = v.add(high, v.shiftRight(v.subtract(low, h1), 32))
    const both = v.shiftRight(v.add(upper, h1), 32)
    return element(v.subtract(low, both), v.add(upper, both))
  }

  #reduceWrapped(a: Wrapped): LimbElement {
    const v = this.#v
    // A sum with a mean of 0 was centred before: its quotient is positive.
    const { low, high } = a.mean === 0 ? a : this.#addCentred(a, 0n)
    return this.#packed(v.add(low, v.multiply(v.shiftRight(high, 32), v.constant(EPS))))
  }

  #packed(word: Vector): LimbElement {
    return { low: word, high: this.#v.shiftRight(word, 32), lowClean: false, highClean: true }
  }

  /** Returns an equal sum whose limbs exceed 0 … 2^32 − 1 by at most a small carry. */
  settle(a: LimbSum): LimbSum {
    const v = this.#v
    if (a.form !== "limbs" || !isSmall(a.lowRange) || !isSmall(a.highRange)) return this.widen(this.reduce(a))
    const upper = v.add(a.high, v.shiftRight(a.low, 32))
    const carry = v.shiftRight(upper, 32)
    const few = (sumOf(a.highRange, [0n, a.lowRange[1] >> 32n])[1] >> 32n) + 1n
    return limbs(v.subtract(v.low(a.low), carry), v.add(v.low(upper), carry), [-few, EPS], [0n, EPS + few])
  }

  planOf = (): StepPlan => inOnePart(this)

  repeat(step: Step, table: ConstantTable, state: readonly LimbElement[]): LimbElement[] {
    return this.#steps.repeat(this, step, table, state)
  }

  loadState(elements: number): LimbElement[] {
    return this.#state.load(elements, () => ({ lowClean: false, highClean: false }))
  }

  storeState(state: readonly LimbElement[]): void {
    this.#state.store(state)
  }

  #materialize(a: LimbSum & { form: "empty" | "constant" }): Limbs {
    const constant = a.form === "empty" ? 0n : a.constant
    return limbs(
      this.#steps.constant(this.#v, constant, "low", c => c & EPS),
      this.#steps.constant(this.#v, constant, "high", c => c >> 32n),
      [0n, EPS],
      [0n, EPS],
    )
  }

  #wrap(a: LimbSum): Wrapped {
    const v = this.#v
    switch (a.form) {
      case "wrapped":
        return a
      case "product":
        a.wrapped ??= this.#wrappedProduct(a.a, a.b)
        return a.wrapped
      case "limbs": {
        const sum = isSmall(a.lowRange) && isSmall(a.highRange) ? a : (this.widen(this.#reduceLimbs(a)) as Limbs)
        const top = Number(sum.highRange[1]) / Number(EPS)
        return {
          form: "wrapped",
          low: v.add(sum.low, v.shiftLeft(sum.high, 32)),
          high: v.add(sum.high, v.shiftRight(sum.low, 32)),
          mean: top / 2 || 0.5,
          max: top + 1,
          cut: 0.5,
        }
      }
      default:
        return this.#wrap(this.#materialize(a))
    }
  }

  /**
   * Computes ll + (lh + hl) φ + hh φ² as (p0 − p2 − p3) + (p1 + p2) φ, where p0 … p3 are the sums in each 32-bit place. The
   * mean assumes 1/2 for a low half and 1/4 for a high half of a product, in units of 2^32.
   */
  #wrappedProduct(a: LimbElement, b: LimbElement): Wrapped {
    const v = this.#v
    const { ll, lh, hl, hh } = limbProducts(v, a, b)
    const p2 = v.add(v.add(v.shiftRight(lh, 32), v.shiftRight(hl, 32)), v.low(hh))
    const upper = v.add(v.add(v.low(lh), v.low(hl)), p2)
    const lower = v.add(p2, v.shiftRight(hh, 32))
    return {
      form: "wrapped",
      low: v.subtract(v.add(ll, v.shiftLeft(upper, 32)), lower),
      high: v.add(upper, v.shiftRight(ll, 32)),
      mean: 2.25,
      max: 6,
      cut: -0.75,
    }
  }
}

const element = (low: Vector, high: Vector): LimbElement => ({ low, high, lowClean: false, highClean: false })

const limbs = (low: Vector, high: Vector, lowRange: Range, highRange: Range): Limbs => ({
  form: "limbs",
  low,
  high,
  lowRange,
  highRange,
  shifted: new Map(),
})

/** @returns the maximum of x0 |c| + x1 |d| for negative digits and x0, x1 ≤ 2^32 − 1; 0 for positive digits */
function subtrahend(c: bigint, d: bigint): { max: bigint; large: boolean } {
  const digits = c + d < 0n ? -c - d : 0n
  return { max: digits * EPS, large: digits >= LARGE_DIGITS }
}

/**
 * @param digits c + d, two digits of one sign
 * @param wraps whether the result is reduced modulo 2^64
 * @returns the range of a sum after x0 c + x1 d was added
 */
function rangeWith([min, max]: Range, digits: bigint, wraps: boolean): Range {
  if (wraps) return [0n, WORD - 1n]
  const [newMin, newMax] = digits < 0n ? [min + digits * EPS, max] : [min, max + digits * EPS]
  if (newMin <= -SMALL || newMax >= WORD + SMALL) throw new RangeError("a sum of limbs would overflow")
  return [newMin, newMax]
}

const sumOf = (a: Range, b: Range): Range => [a[0] + b[0], a[1] + b[1]]

const isSmall = ([min, max]: Range) => min > -SMALL && max < SMALL

/** @throws RangeError if |T| could reach 2^95 */
function bounded(sum: Wrapped): Wrapped {
  if (sum.max >= 2 ** 31) throw new RangeError("a wrapped sum of 2^95 or more would overflow")
  return sum
}
