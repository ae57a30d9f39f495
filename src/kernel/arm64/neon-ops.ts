/**
 * The vocabulary of `ops.ts` for two nonces in vector registers (NEON), with 32 × 32-bit products.
 * `goldilocks.ts` defines φ and EPS.
 *
 * An element is a word in each 64-bit lane. A linear element is four limbs: the low limbs of both nonces, then the high
 * limbs. A sum has one of two forms, each of two vectors:
 *
 *     T ≈ L + (H >> 32) EPS     L: sum of the words, which wraps; H: sum of their high halves
 *     T = L + H φ               for the few sums that include products with constants
 *
 * `goldilocks.ts` explains the first form and which carries are dropped; comments note each one.
 */
import { WIDTH } from "../../pow/constants.ts"
import { multiplier } from "../digits.ts"
import type { Constant, ConstantTable, Step } from "../ops.ts"
import type { Argument, HardwareRegister, Memory, Place, Value } from "./assembler/operands.ts"
import { instructionsOnto } from "./compiler/architecture.ts"
import type { LaneOps } from "./lane-set.ts"
import { EPS_LIMBS, inContext, LOW_HALVES } from "./registers.ts"
import type { Steps } from "./steps.ts"

interface Stored {
  readonly place: number
  readonly version: number
  readonly isLinear: boolean
}

/** An element in one of its forms. The others are computed on first use. */
export interface Element {
  /** Two words. */
  word?: Value
  /** Low limbs, and high limbs, in the low half of a register. */
  limbs?: { readonly low: Value; readonly high: Value }
  /** Low limbs, then high limbs. */
  packed?: Value
  readonly stored?: Stored & { readonly load: () => Value }
}

/** `floors`: see `integer-ops.ts`. */
interface Estimate {
  readonly low: Value
  readonly high: Value
  readonly floors: number
}

export type VectorSum = { readonly kind: "empty" } | ElementSum | ({ readonly kind: "estimate" } & Estimate) | LimbSum

interface ElementSum {
  readonly kind: "elements"
  readonly elements: readonly Element[]
  estimate?: Estimate
}

interface LimbSum {
  readonly kind: "limbs"
  readonly low: Value
  readonly high: Value
  /** Halves plus a small number, by half and number. */
  readonly variants: Map<string, Value>
  /** Whether it exceeds the sum that it represents by 1, which the reduction subtracts. */
  readonly isOneMore: boolean
}

export interface NeonOptions {
  /** Whether products are those of 64-bit lanes (SVE2). All elements are then words, and sums with constants estimates. */
  readonly isScalable: boolean
}

export class NeonOps implements LaneOps<Element, VectorSum> {
  readonly productsTakeConstants = false
  readonly lanes = 2
  readonly stateBytes = 16 * WIDTH
  readonly #steps: Steps
  readonly #stateOffset: number
  readonly #isScalable: boolean
  #version = 0

  /** @param stateOffset bytes from the context to the state's vectors */
  constructor(steps: Steps, stateOffset: number, { isScalable }: NeonOptions) {
    this.#steps = steps
    this.#isScalable = isScalable
    this.#stateOffset = stateOffset
  }

  /* Elements. */

  /** 13 instructions; 8 with 64-bit products. */
  square(a: Element): Element {
    if (this.#isScalable) return this.multiply(a, a)
    const { low: x0, high: x1 } = this.#limbs(a)
    const ll = this.#multiplyHalves(x0, x0)
    const lh = this.#multiplyHalves(x0, x1)
    const hh = this.#multiplyHalves(x1, x1)
    const middle = this.#addShifted(lh, ll, 33)
    return this.#reduceWords(this.#insert(ll, middle, 33), this.#addShifted(hh, middle, 31))
  }

  /** 16 instructions; 8 with 64-bit products. */
  multiply(a: Element, b: Element): Element {
    if (this.#isScalable) return this.#multiplyWords(this.#word(a), this.#word(b))
    const [x, y] = [this.#limbs(a), this.#limbs(b)]
    const ll = this.#multiplyHalves(x.low, y.low)
    const middle = this.#addShifted(this.#multiplyHalves(x.low, y.high), ll, 32)
    const upper = this.#multiplyAddHalves(this.#low(middle), x.high, y.low)
    const high = this.#addShifted(this.#addShifted(this.#multiplyHalves(x.high, y.high), middle, 32), upper, 32)
    return this.#reduceWords(this.#insert(ll, upper, 32), high)
  }

  /**
   * Computes low + 2^64 high ≡ low − (high >> 32) + (high mod 2^32) · EPS, plus EPS if that sum wraps. Dropped: the borrow of
   * the difference (2^-33).
   */
  #reduceWords(low: Value, high: Value): Element {
    const difference = this.#result("usubw Vd.2D, Vn.2D, Vm.2S", low, this.#highHalves(high))
    const product = this.#multiplyHalves(this.#lowHalves(high), EPS_LIMBS)
    return { word: this.#addWrapped(difference, product) }
  }

  /** As `multiply`, with 64-bit products. */
  #multiplyWords(a: Value, b: Value): Element {
    const low = this.#result("mul Zd.D, Zn.D, Zm.D", a, b)
    const high = this.#result("umulh Zd.D, Zn.D, Zm.D", a, b)
    const difference = this.#result("sub Vd.2D, Vn.2D, Vm.2D", low, this.#result("ushr Vd.2D, Vn.2D, #64-i", high, 32))
    const product = this.#result("umullb Zd.D, Zn.S, Zm.S", high, EPS_LIMBS)
    return { word: this.#addWrapped(difference, product) }
  }

  /** Computes a + b, plus EPS if that wraps. */
  #addWrapped(a: Value, b: Value): Value {
    const sum = this.#result("add Vd.2D, Vn.2D, Vm.2D", a, b)
    return this.#addShifted(sum, this.#result("cmhi Vd.2D, Vn.2D, Vm.2D", b, sum), 32)
  }

  product = (a: Element, b: Element): VectorSum => this.widen(this.multiply(a, b))
  widen = (a: Element): VectorSum => ({ kind: "elements", elements: [a] })
  zero = (): VectorSum => ({ kind: "empty" })

  /* Sums. */

  add(a: VectorSum, b: VectorSum): VectorSum {
    if (a.kind === "empty") return b
    if (b.kind === "empty") return a
    if (a.kind === "limbs" || b.kind === "limbs") return this.#addLimbs(a, b)
    if (a.kind === "elements" && b.kind === "elements" && a.elements.length + b.elements.length <= 2)
      return { kind: "elements", elements: [...a.elements, ...b.elements] }
    const [x, y] = [this.#estimate(a), this.#estimate(b)]
    const floors = x.floors + y.floors
    if (floors > 2 ** 12) throw new RangeError("the estimated sum has too many words")
    return { kind: "estimate", low: this.#plus(x.low, y.low), high: this.#plus(x.high, y.high), floors }
  }

  double = (a: VectorSum): VectorSum => this.add(a, a)

  addConstant(a: VectorSum, constant: Constant): VectorSum {
    if (a.kind === "empty" && this.#isScalable) return this.widen({ word: this.#constant(constant, "word", c => c) })
    if (a.kind === "empty" || a.kind === "limbs") {
      const low = this.#constant(constant, "low", c => c & 0xffffffffn)
      const high = this.#constant(constant, "high", c => c >> 32n)
      return this.add(a, limbSum(low, high))
    }
    const { low, high, floors } = this.#estimate(a)
    const bias = BigInt(floors) / 2n
    return {
      kind: "estimate",
      low: this.#plus(
        low,
        this.#constant(constant, "word", c => c),
      ),
      high: this.#plus(
        high,
        this.#constant(constant, `high + ${bias}`, c => (c >> 32n) + bias),
      ),
      floors: 0,
    }
  }

  /**
   * Computes four products with the constant's digits (see `multiplier`) and adds the sum last, so that they need not wait
   * for it. A negative half is read as 2^64 too large, which adds 2^64 ≡ φ − 1 if it is L and φ (φ − 1) ≡ −1 if it is H.
   * Variants of the sum correct this, and add the 1 that `#reduceLimbs` subtracts. Dropped: the carry of a sum whose product
   * is near 2^64.
   */
  multiplyAdd(sum: VectorSum, a: Element, constant: Constant): VectorSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    if (sum.kind !== "limbs" || this.#isScalable) {
      // The product may be small. A negative half would then not always be read as 2^64 too large.
      return this.add(sum, this.product(a, { word: this.#constant(constant, "word", c => c) }))
    }
    const { c, d } = multiplier(constant)
    const isNegative = [c[0] + d[0] < 0n, c[1] + d[1] < 0n] as const
    const digits = this.#digits([c[0], d[0], c[1], d[1]].map(digit => (digit < 0n ? -digit : digit)))
    const [low, high] = [0, 2].map(first => this.#twoProducts(a, digits, first)) as [Value, Value]
    const more = [1n + (isNegative[0] ? 1n : 0n) + (isNegative[1] ? 1n : 0n), isNegative[0] ? -1n : 0n] as const
    const limbs = this.#limbSum(sum)
    const added = [this.#variant(limbs, "low", more[0]), this.#variant(limbs, "high", more[1])] as const
    const onto = (k: 0 | 1, product: Value) =>
      isNegative[k] ? this.#result("sub Vd.2D, Vn.2D, Vm.2D", added[k], product) : this.#plus(added[k], product)
    return limbSum(onto(0, low), onto(1, high), true)
  }

  /** Computes x0 · d + x1 · e with the digits d and e at `first` and `first` + 1. */
  #twoProducts(a: Element, digits: Value, first: number): Value {
    if (a.packed || a.stored?.isLinear) {
      const packed = this.#packed(a)
      const product = this.#result("umull Vd.2D, Vn.2S, Vm.S[i]", packed, digits, first)
      return this.#onto(product, "umlal2 Vd.2D, Vn.4S, Vm.S[i]", packed, digits, first + 1)
    }
    const { low, high } = this.#limbs(a)
    const product = this.#result("umull Vd.2D, Vn.2S, Vm.S[i]", low, digits, first)
    return this.#onto(product, "umlal Vd.2D, Vn.2S, Vm.S[i]", high, digits, first + 1)
  }

  reduce(a: VectorSum): Element {
    switch (a.kind) {
      case "empty":
        return { word: this.#constant(0n, "word", c => c) }
      case "elements": {
        const [first, second] = a.elements
        return second ? { word: this.#addWrapped(this.#word(first!), this.#word(second)) } : first!
      }
      case "estimate": {
        // Dropped: the carries that `IntegerOps` drops.
        const { low, high } = a.floors === 0 ? a : this.#biased(a)
        return { word: this.#multiplyAddHalves(low, this.#highHalves(high), EPS_LIMBS) }
      }
      case "limbs":
        return this.reduceLinear(a)
    }
  }

  reduceLinear(a: VectorSum): Element {
    if (a.kind !== "limbs") return this.reduce(a)
    return { packed: this.#reduceLimbs(a) }
  }

  /**
   * Computes L + H φ ≡ (L − h1) + (h0 + h1) φ with H = h0 + h1 φ. With Y = H + ((L − h1) >> 32) and C = (Y + h1) >> 32, the
   * limbs are the low halves of L − C and Y + C. The high half of the complement of Y + h1 is −C − 1, so L must be 1
   * larger. 8 instructions.
   */
  #reduceLimbs({ low, high, isOneMore }: LimbSum): Value {
    const l = isOneMore ? low : this.#plus(low, this.#number(1n))
    const h1 = this.#highHalves(high)
    const y = this.#addShifted(high, this.#result("usubw Vd.2D, Vn.2D, Vm.2S", l, h1), 32)
    const x = this.#result("uaddw Vd.2D, Vn.2D, Vm.2S", y, h1)
    const carries = this.#result("uzp2 Vd.4S, Vn.4S, Vm.4S", this.#result("mvn Vd.16B, Vn.16B", x), x)
    return this.#result("add Vd.4S, Vn.4S, Vm.4S", this.#result("uzp1 Vd.4S, Vn.4S, Vm.4S", l, y), carries)
  }

  /** Returns the sum with L below 2^32, so that products can be added to it; with 64-bit products, as an element. */
  settle(a: VectorSum): VectorSum {
    if (this.#isScalable) return this.widen(this.reduce(a))
    const { low, high } = this.#limbSum(a)
    return limbSum(this.#low(low), this.#addShifted(high, low, 32))
  }

  #biased({ low, high, floors }: Estimate): Estimate {
    return { low, high: this.#plus(high, this.#number(BigInt(floors >> 1))), floors: 0 }
  }

  #estimate(a: VectorSum): Estimate {
    if (a.kind === "estimate") return a
    if (a.kind !== "elements") return this.#estimate(this.#reduced(a))
    if (a.estimate) return a.estimate
    const [x, y] = a.elements.map(element => this.#word(element)) as [Value, Value?]
    const high = this.#result("ushr Vd.2D, Vn.2D, #64-i", x, 32)
    a.estimate = y
      ? { low: this.#plus(x, y), high: this.#addShifted(high, y, 32), floors: 2 }
      : { low: x, high, floors: 1 }
    return a.estimate
  }

  #limbSum(a: VectorSum): LimbSum {
    if (a.kind === "limbs" && !a.isOneMore) return a
    return this.#addLimbs(this.#zeroLimbs(), this.#reduced(a))
  }

  /** Returns the sum as elements, reduced if necessary. */
  #reduced(a: VectorSum): ElementSum {
    return a.kind === "elements" ? a : { kind: "elements", elements: [this.reduce(a)] }
  }

  #zeroLimbs(): LimbSum {
    return limbSum(this.#number(0n), this.#number(0n))
  }

  #addLimbs(a: VectorSum, b: VectorSum): LimbSum {
    if (a.kind !== "limbs") return this.#addLimbs(b, a)
    const { low, high } = a
    if (b.kind === "limbs") {
      if (a.isOneMore && b.isOneMore) return this.#addLimbs(a, this.#reduced(b))
      return limbSum(this.#plus(low, b.low), this.#plus(high, b.high), a.isOneMore || b.isOneMore)
    }
    const sum = this.#reduced(b).elements.reduce(
      (sum, element) => {
        if (element.packed || element.stored?.isLinear) {
          const packed = this.#packed(element)
          return {
            low: this.#result("uaddw Vd.2D, Vn.2D, Vm.2S", sum.low, packed),
            high: this.#result("uaddw2 Vd.2D, Vn.2D, Vm.4S", sum.high, packed),
          }
        }
        const limbs = this.#limbs(element)
        return {
          low: this.#result("uaddw Vd.2D, Vn.2D, Vm.2S", sum.low, limbs.low),
          high: this.#result("uaddw Vd.2D, Vn.2D, Vm.2S", sum.high, limbs.high),
        }
      },
      { low, high },
    )
    return limbSum(sum.low, sum.high, a.isOneMore)
  }

  /** Computes one half of a sum plus a small number. */
  #variant(sum: LimbSum, half: "low" | "high", more: bigint): Value {
    if (more === 0n) return sum[half]
    const key = `${half} ${more}`
    let register = sum.variants.get(key)
    if (!register) sum.variants.set(key, (register = this.#plus(sum[half], this.#number(more))))
    return register
  }

  /* Forms of an element. */

  #word(a: Element): Value {
    if (a.word) return a.word
    if (a.stored && !a.stored.isLinear) return (a.word = a.stored.load())
    const packed = this.#packed(a)
    return (a.word = this.#result("zip1 Vd.4S, Vn.4S, Vm.4S", packed, this.#upper(packed)))
  }

  #limbs(a: Element): { readonly low: Value; readonly high: Value } {
    if (a.limbs) return a.limbs
    if (a.packed || a.stored?.isLinear) {
      const packed = this.#packed(a)
      return (a.limbs = { low: packed, high: this.#upper(packed) })
    }
    const word = this.#word(a)
    return (a.limbs = { low: this.#lowHalves(word), high: this.#highHalves(word) })
  }

  #packed(a: Element): Value {
    if (a.packed) return a.packed
    if (a.stored?.isLinear) return (a.packed = a.stored.load())
    const { low, high } = this.#limbs(a)
    return (a.packed = this.#result("zip1 Vd.2D, Vn.2D, Vm.2D", low, high))
  }

  #upper = (a: Value): Value => this.#result("ext Vd.16B, Vn.16B, Vm.16B, #i", a, a, 8)

  /* Loads and stores. */

  broadcast(place: Place): Element {
    const word = this.#steps.routine.register("integer")
    this.#steps.routine.emit("ldr Xd, [Xn, #i*8]", word, place)
    return { word: this.#result("dup Vd.2D, Xn", word) }
  }

  load = (place: Place): Element => ({ word: this.#load(place) })
  store = (place: Place, x: Element): void => this.#store(place, this.#word(x))

  storeFirst(place: Place, x: Element): void {
    this.#steps.routine.emit("str Dd, [Xn, #i*8]", this.#word(x), place)
  }

  counters(first: Place, lane: number): Element {
    const numbers = this.#pool([BigInt(lane), BigInt(lane + 1)])
    return { word: this.#plus(this.broadcast(first).word!, numbers) }
  }

  reverseSum(counters: Element, first: Place): Element {
    const sum = this.#plus(this.#word(counters), this.broadcast(first).word!)
    return { word: this.#result("ushr Vd.2D, Vn.2D, #64-i", this.#result("rev64 Vd.16B, Vn.16B", sum), 32) }
  }

  canonical(a: Element): Element {
    // x − p = x + EPS − 2^64. If x + EPS wraps, x ≥ p, and the high half of the mask adds EPS.
    const word = this.#word(a)
    const less = this.#plus(word, LOW_HALVES)
    return { word: this.#addShifted(word, this.#result("cmhi Vd.2D, Vn.2D, Vm.2D", word, less), 32) }
  }

  storeFlags(place: Place, x: Element, target: Place): void {
    const top = this.#result("rev64 Vd.16B, Vn.16B", this.#word(x))
    const above = this.#result("cmhi Vd.2D, Vn.2D, Vm.2D", top, this.broadcast(target).word!)
    this.#steps.routine.emit("str Dd, [Xn, #i*8]", this.#lowHalves(above), place)
  }

  loadState(elements: number, linearFrom = elements): Element[] {
    const version = ++this.#version
    return Array.from(
      { length: elements },
      (_, place): Element => ({
        stored: {
          place,
          version,
          isLinear: this.#isPacked(place, linearFrom),
          load: () => this.#load(this.#statePlace(place)),
        },
      }),
    )
  }

  /** Stores the elements that are not already in their place and form. */
  storeState(state: readonly Element[], linearFrom = state.length): void {
    const moved = state.flatMap((a, i) => {
      const isLinear = this.#isPacked(i, linearFrom)
      const { stored } = a
      if (stored && stored.place === i && stored.version === this.#version && stored.isLinear === isLinear) return []
      return [{ i, register: isLinear ? this.#packed(a) : this.#word(a) }]
    })
    for (const { i, register } of moved) this.#store(this.#statePlace(i), register)
  }

  /** Whether an element is stored as limbs. */
  #isPacked = (element: number, linearFrom: number): boolean => !this.#isScalable && element >= linearFrom

  repeat = (step: Step, table: ConstantTable, state: readonly Element[]): Element[] =>
    this.#steps.repeat(this, step, table, state)

  #statePlace = (element: number): Place => inContext(this.#stateOffset + 16 * element)

  /* Instructions. */

  #constant(constant: Constant, name: string, derive: (c: bigint) => bigint): Value {
    return this.#constantAt(this.#steps.constant(constant, name, derive))
  }

  #number = (n: bigint): Value => this.#pool([n, n])
  #pool = (words: readonly bigint[]): Value =>
    this.#constantAt(this.#steps.pool(words.map(word => BigInt.asUintN(64, word))))
  #digits = ([a, b, c, d]: readonly bigint[]): Value => this.#pool([a! | (b! << 32n), c! | (d! << 32n)])

  #constantAt = (place: Memory<HardwareRegister>): Value => this.#steps.loadConstant(place, "vector")

  #load = (place: Place): Value => this.#result("ldr Qd, [Xn, #i*16]", place)
  #store = (place: Place, value: Value): void => this.#steps.routine.emit("str Qd, [Xn, #i*16]", value, place)
  #plus = (a: Value, b: Value): Value => this.#result("add Vd.2D, Vn.2D, Vm.2D", a, b)
  #multiplyHalves = (a: Value, b: Value): Value => this.#result("umull Vd.2D, Vn.2S, Vm.2S", a, b)
  #multiplyAddHalves = (sum: Value, a: Value, b: Value): Value => this.#onto(sum, "umlal Vd.2D, Vn.2S, Vm.2S", a, b)
  /** Computes a + (b >> bits). */
  #addShifted = (a: Value, b: Value, bits: number): Value => this.#onto(a, "usra Vd.2D, Vn.2D, #64-i", b, bits)
  /** Computes (b << bits) | (a mod 2^bits). */
  #insert = (a: Value, b: Value, bits: number): Value => this.#onto(a, "sli Vd.2D, Vn.2D, #i", b, bits)
  #low = (a: Value): Value => this.#result("and Vd.16B, Vn.16B, Vm.16B", a, LOW_HALVES)
  #lowHalves = (a: Value): Value => this.#result("xtn Vd.2S, Vn.2D", a)
  #highHalves = (a: Value): Value => this.#result("shrn Vd.2S, Vn.2D, #32-i", a, 32)
  #register = (): Value => this.#steps.routine.register("vector")

  #result(syntax: string, ...operands: Argument[]): Value {
    const result = this.#register()
    this.#steps.routine.emit(syntax, result, ...operands)
    return result
  }

  #onto(sum: Value, syntax: string, ...operands: Argument[]): Value {
    const result = this.#register()
    this.#steps.routine.emitAll(instructionsOnto(sum, syntax, result, ...operands))
    return result
  }
}

const limbSum = (low: Value, high: Value, isOneMore = false): LimbSum => ({
  kind: "limbs",
  low,
  high,
  variants: new Map(),
  isOneMore,
})
