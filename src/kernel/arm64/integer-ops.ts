/**
 * The vocabulary of `ops.ts` for one nonce in integer registers, with 64 × 64-bit products. A sum has one of two forms:
 *
 *     T = low + 2^64 high       exact, added with carries: for the few sums that include products with constants
 *     T ≈ L + (H >> 32) EPS     L: sum of the words, which wraps; H: sum of their high halves
 *
 * An element is any 64-bit word. `goldilocks.ts` explains the second form and which carries are dropped; comments note each
 * one.
 */
import { WIDTH } from "../../pow/constants.ts"
import type { Constant, ConstantTable, Step } from "../ops.ts"
import { type Argument, type Place, type Value, ZERO } from "./assembler/operands.ts"
import type { LaneOps } from "./lane-set.ts"
import { EPS, inContext } from "./registers.ts"
import type { Steps } from "./steps.ts"

/** A word in a register, and its place in the state if it was loaded from there. */
export interface Word {
  readonly register: Value
  readonly stored?: { readonly place: number; readonly version: number }
}

/** L and H. H omits the low halves of `floors` words, so it is too small by `floors` / 2 on average. */
interface Estimate {
  readonly low: Value
  readonly high: Value
  readonly floors: number
}

/** A sum: one or two words not added yet, an estimate, or an exact sum. */
export type WordSum =
  | { readonly kind: "words"; readonly words: readonly Value[]; estimate?: Estimate }
  | ({ readonly kind: "estimate" } & Estimate)
  | { readonly kind: "exact"; readonly low: Value; readonly high: Value; readonly highMax: bigint }
  | { readonly kind: "empty" }

export interface IntegerOptions {
  /**
   * Whether a reduction multiplies by EPS and subtracts a shifted operand: 7 instructions with the product. Otherwise 10,
   * for cores on which both occupy the multiplier's port.
   */
  readonly isShifted: boolean
}

const WORD = 2n ** 64n
/** Maximum high word of an exact sum whose reduction drops the carry; its probability is then 2^-26. */
const SMALL_MAX = 64n

export class IntegerOps implements LaneOps<Word, WordSum> {
  readonly productsTakeConstants = false
  readonly lanes = 1
  readonly stateBytes = 8 * WIDTH
  readonly #steps: Steps
  readonly #stateOffset: number
  readonly #isShifted: boolean
  #version = 0

  /** @param stateOffset bytes from the context to the state's words */
  constructor(steps: Steps, stateOffset: number, { isShifted }: IntegerOptions) {
    this.#steps = steps
    this.#stateOffset = stateOffset
    this.#isShifted = isShifted
  }

  /* Elements. */

  square = (a: Word): Word => this.multiply(a, a)
  multiply = (a: Word, b: Word): Word => ({ register: this.#reduceWords(...this.#wide(a.register, b.register)) })
  product = (a: Word, b: Word): WordSum => this.widen(this.multiply(a, b))
  widen = (a: Word): WordSum => ({ kind: "words", words: [a.register] })
  zero = (): WordSum => ({ kind: "empty" })

  #wide = (a: Value, b: Value): [low: Value, high: Value] => [
    this.#result("mul Xd, Xn, Xm", a, b),
    this.#result("umulh Xd, Xn, Xm", a, b),
  ]

  /**
   * Computes low + 2^64 high ≡ low − (high >> 32) + (high mod 2^32) · EPS, plus EPS if that sum wraps. Dropped: the borrow of
   * the difference (2^-33).
   */
  #reduceWords(low: Value, high: Value): Value {
    if (this.#isShifted) {
      const difference = this.#result("sub Xd, Xn, Xm, lsr #i", low, high, 32)
      return this.#addWrapped(difference, this.#result("umull Xd, Wn, Wm", high, EPS))
    }
    const difference = this.#result("sub Xd, Xn, Xm", low, this.#high(high))
    const shifted = this.#result("lsl Xd, Xn, #32", high)
    return this.#addWrapped(difference, this.#result("sub Xd, Xn, Xm", shifted, this.#result("mov Wd, Wm", high)))
  }

  /** Computes a + b, plus EPS if that wraps. */
  #addWrapped(a: Value, b: Value): Value {
    const [sum, wrapped] = [this.#register(), this.#register()]
    this.#steps.routine.emit("adds Xd, Xn, Xm", sum, a, b)
    this.#steps.routine.emit("csetm Wd, hs", wrapped)
    return this.#result("add Xd, Xn, Xm", sum, wrapped)
  }

  /* Sums. */

  add(a: WordSum, b: WordSum): WordSum {
    if (a.kind === "empty") return b
    if (b.kind === "empty") return a
    if (a.kind === "exact" || b.kind === "exact") return this.#addExact(this.#exact(a), this.#exact(b))
    if (a.kind === "words" && b.kind === "words" && a.words.length + b.words.length <= 2)
      return { kind: "words", words: [...a.words, ...b.words] }
    const [x, y] = [this.#estimate(a), this.#estimate(b)]
    return {
      kind: "estimate",
      low: this.#result("add Xd, Xn, Xm", x.low, y.low),
      high: this.#result("add Xd, Xn, Xm", x.high, y.high),
      floors: checked(x.floors + y.floors),
    }
  }

  double = (a: WordSum): WordSum => this.add(a, a)

  /** Computes a + constant. For an estimate, it also adds the expected value of the omitted low halves to H. */
  addConstant(a: WordSum, constant: Constant): WordSum {
    if (a.kind === "empty" || a.kind === "exact") {
      const low = this.#constant(constant, "word", c => c)
      return this.add(a, { kind: "exact", low, high: ZERO, highMax: 0n })
    }
    const { low, high, floors } = this.#estimate(a)
    const bias = BigInt(floors) / 2n
    return {
      kind: "estimate",
      low: this.#result(
        "add Xd, Xn, Xm",
        low,
        this.#constant(constant, "word", c => c),
      ),
      high: this.#result(
        "add Xd, Xn, Xm",
        high,
        this.#constant(constant, `high + ${bias}`, c => (c >> 32n) + bias),
      ),
      floors: 0,
    }
  }

  multiplyAdd(sum: WordSum, a: Word, constant: Constant): WordSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    const [low, high] = this.#wide(
      a.register,
      this.#constant(constant, "word", c => c),
    )
    return this.add({ kind: "exact", low, high, highMax: constant > 0n ? constant - 1n : 0n }, sum)
  }

  reduce(a: WordSum): Word {
    switch (a.kind) {
      case "empty":
        return { register: this.#result("mov Xd, #i", 0) }
      case "exact":
        // Dropped: the sum's carry (high / 2^32).
        if (a.highMax <= SMALL_MAX) return { register: this.#result("umaddl Xd, Wn, Wm, Xa", a.high, EPS, a.low) }
        return { register: this.#reduceWords(a.low, a.high) }
      case "words":
        if (a.words.length === 1) return { register: a.words[0]! }
        return { register: this.#addWrapped(a.words[0]!, a.words[1]!) }
      case "estimate":
        return { register: this.#reduceEstimate(a.floors === 0 ? a : this.#biased(a)) }
    }
  }

  reduceLinear = (a: WordSum): Word => this.reduce(a)
  settle = (a: WordSum): WordSum => this.#exact(a)

  #biased({ low, high, floors }: Estimate): Estimate {
    return { low, high: this.#result("add Xd, Xn, #i", high, floors >> 1), floors: 0 }
  }

  /** Dropped: the deviation of the low halves' carry from its expected value (floors / 2^32), and the carry of the sum. */
  #reduceEstimate({ low, high }: Estimate): Value {
    const quotient = this.#high(high)
    if (this.#isShifted) return this.#result("umaddl Xd, Wn, Wm, Xa", quotient, EPS, low)
    const shifted = this.#result("lsl Xd, Xn, #32", quotient)
    return this.#result("add Xd, Xn, Xm", low, this.#result("sub Xd, Xn, Xm", shifted, quotient))
  }

  #estimate(a: WordSum): Estimate {
    if (a.kind === "estimate") return a
    if (a.kind !== "words") return this.#estimate(this.widen(this.reduce(a)))
    if (a.estimate) return a.estimate
    const [x, y] = a.words as [Value, Value?]
    const high = this.#high(x)
    a.estimate = y
      ? {
          low: this.#result("add Xd, Xn, Xm", x, y),
          high: this.#result("add Xd, Xn, Xm", high, this.#high(y)),
          floors: 2,
        }
      : { low: x, high, floors: 1 }
    return a.estimate
  }

  #exact(a: WordSum): WordSum & { kind: "exact" } {
    if (a.kind === "exact") return a
    if (a.kind !== "words") return this.#exact(this.widen(this.reduce(a)))
    const [first, second] = a.words.map(low => ({ kind: "exact", low, high: ZERO, highMax: 0n }) as const)
    return second ? this.#addExact(first!, second) : first!
  }

  #addExact(a: WordSum & { kind: "exact" }, b: WordSum & { kind: "exact" }): WordSum & { kind: "exact" } {
    const highMax = a.highMax + b.highMax + 1n
    if (highMax >= WORD) throw new RangeError("a sum of 128 bits would overflow")
    const [low, high] = [this.#register(), this.#register()]
    this.#steps.routine.emit("adds Xd, Xn, Xm", low, a.low, b.low)
    this.#steps.routine.emit("adc Xd, Xn, Xm", high, a.high, b.high)
    return { kind: "exact", low, high, highMax }
  }

  /* Loads and stores. */

  broadcast = (place: Place): Word => this.load(place)
  load = (place: Place): Word => ({ register: this.#load(place) })
  store = (place: Place, { register }: Word): void => this.#store(place, register)
  storeFirst = (place: Place, x: Word): void => this.store(place, x)

  counters(first: Place, lane: number): Word {
    return { register: this.#result("add Xd, Xn, #i", this.#load(first), lane) }
  }

  reverseSum(counter: Word, first: Place): Word {
    return { register: this.#result("rev Wd, Wn", this.#result("add Xd, Xn, Xm", counter.register, this.#load(first))) }
  }

  canonical({ register }: Word): Word {
    // x − p = x + EPS − 2^64: if the sum carries, it is not negative.
    const [sum, result] = [this.#register(), this.#register()]
    this.#steps.routine.emit("adds Xd, Xn, Xm", sum, register, EPS)
    this.#steps.routine.emit("csel Xd, Xn, Xm, hs", result, sum, register)
    return { register: result }
  }

  storeFlags(place: Place, x: Word, target: Place): void {
    const flag = this.#register()
    const [top, bound] = [this.#result("rev Xd, Xn", x.register), this.#load(target)]
    this.#steps.routine.emit("cmp Xn, Xm", top, bound)
    this.#steps.routine.emit("cset Wd, hi", flag)
    this.#steps.routine.emit("str Wd, [Xn, #i*4]", flag, place)
  }

  loadState(elements: number): Word[] {
    const version = ++this.#version
    return Array.from({ length: elements }, (_, place) => {
      let register: Value | undefined
      const load = () => this.#load(this.#statePlace(place))
      return {
        get register() {
          return (register ??= load())
        },
        stored: { place, version },
      }
    })
  }

  /** Stores the elements that are not already in their place. */
  storeState(state: readonly Word[]): void {
    const moved = state.flatMap((x, i) =>
      x.stored?.place === i && x.stored.version === this.#version ? [] : [{ i, register: x.register }],
    )
    for (const { i, register } of moved) this.#store(this.#statePlace(i), register)
  }

  repeat = (step: Step, table: ConstantTable, state: readonly Word[]): Word[] =>
    this.#steps.repeat(this, step, table, state)

  #statePlace = (element: number): Place => inContext(this.#stateOffset + 8 * element)

  /* Instructions. */

  #constant(constant: Constant, name: string, derive: (c: bigint) => bigint): Value {
    return this.#steps.loadConstant(this.#steps.constant(constant, name, derive), "integer")
  }

  #load = (place: Place): Value => this.#result("ldr Xd, [Xn, #i*8]", place)
  #store = (place: Place, word: Value): void => this.#steps.routine.emit("str Xd, [Xn, #i*8]", word, place)
  #high = (a: Value): Value => this.#result("lsr Xd, Xn, #i", a, 32)
  #register = (): Value => this.#steps.routine.register("integer")

  #result(syntax: string, ...operands: Argument[]): Value {
    const result = this.#register()
    this.#steps.routine.emit(syntax, result, ...operands)
    return result
  }
}

/** Returns the number of omitted low halves. @throws RangeError if the quotient of so large a sum would be wrong too often */
function checked(floors: number): number {
  if (floors > 2 ** 12) throw new RangeError("the estimated sum has too many words")
  return floors
}
