/**
 * The vocabulary of `ops.ts` on one nonce in integer registers (BMI2): 64 × 64-bit products and sums of 128 bits.
 * EPS = 2^32 − 1 ≡ 2^64 modulo p.
 *
 * An element is any 64 bits. Carries and borrows that fire with a probability around 2^-32 are dropped; each is noted
 * where it happens.
 */

import { WIDTH } from "../../../pow/constants.ts"
import { EPS } from "../../goldilocks.ts"
import type { Constant, ConstantRows, Step } from "../../ops.ts"
import { type Memory, memory, type VirtualRegister } from "../assembler/operands.ts"
import type { Integers } from "../registers/integers.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"
import { atOnce, type BatchOps, type Turns } from "./batch-ops.ts"
import { STATE_POINTER, type Steps } from "./steps.ts"

/** low + 2^64 high; a high word that is left out is 0. */
interface Wide {
  readonly low: Value
  readonly high?: Value
  readonly highMax: bigint
}

/** Undefined: the empty sum. */
export type IntegerSum = Wide | undefined

/** Bytes of a state of one nonce: whole cache lines. */
export const INTEGER_STATE_BYTES = Math.ceil((8 * WIDTH) / 64) * 64

const WORD = 2n ** 64n
/** The largest high word whose product with EPS may make the low word wrap: a chance of 2^-26. */
const FEW = 64n

export class IntegerOps implements BatchOps<Value, IntegerSum> {
  readonly productsTakeConstants: boolean
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes = INTEGER_STATE_BYTES
  readonly #u: Integers
  readonly #steps: Steps
  readonly #stateOffset: number
  readonly #whole: BatchOps<unknown, unknown> | undefined

  /**
   * @param stateOffset bytes from `STATE_POINTER` to the words through which a state goes into a step and out of it
   * @param whole what steps are rendered for, where that is more than this: the rest of it works on what it finds
   */
  constructor(integers: Integers, steps: Steps, stateOffset = 0, whole?: BatchOps<unknown, unknown>) {
    this.laneSets = [integers]
    this.#u = integers
    this.#steps = steps
    this.#stateOffset = stateOffset
    this.#whole = whole
    this.productsTakeConstants = whole?.productsTakeConstants ?? false
  }

  fromWords = ([word]: readonly Value[]): Value => word!
  toWords = (x: Value): Value[] => [this.#u.canonical(x)]

  /** 9 instructions, 7 of them to reduce. */
  square = (a: Value): Value => this.multiply(a, a)

  multiply(a: Value, b: Value): Value {
    const { low, high } = this.#u.multiply(a, b)
    return this.#reduceWords(low, high)
  }

  /**
   * low + 2^64 high ≡ low − (high >> 32) + (high & EPS) · EPS, and EPS more where that sum wraps. Dropped: the difference's
   * borrow (2^-33). @param low overwritten
   */
  #reduceWords(low: VirtualRegister, high: Value): Value {
    const u = this.#u
    const [top, bottom] = [u.high(high), u.low(high)]
    u.subtractInPlace(low, top)
    u.multiplyInPlace(bottom, u.constant(EPS))
    u.addWithCarry(low, bottom, top)
    return low
  }

  product = (a: Value, b: Value): Wide => this.widen(this.multiply(a, b))
  zero = (): IntegerSum => undefined
  widen = (a: Value): Wide => ({ low: a, highMax: 0n })

  add(a: IntegerSum, b: IntegerSum): IntegerSum {
    if (!a) return b
    if (!b) return a
    const highMax = a.highMax + b.highMax + 1n
    if (highMax >= WORD) throw new RangeError("a sum of 128 bits would overflow")
    return { ...this.#u.addWide(a.low, a.high, b.low, b.high), highMax }
  }

  double = (a: IntegerSum): IntegerSum => this.add(a, a)

  addConstant(a: IntegerSum, constant: Constant): IntegerSum {
    return this.add(a, this.widen(this.#steps.constant(this.#u, constant, "word", c => c)))
  }

  multiplyAdd(sum: IntegerSum, a: Value, constant: Constant): IntegerSum {
    if (typeof constant !== "bigint") throw new TypeError("rows of constants are added only")
    const { low, high } = this.#u.multiply(a, this.#u.constant(constant))
    return this.add({ low, high, highMax: constant === 0n ? 0n : constant - 1n }, sum)
  }

  reduce(a: IntegerSum): Value {
    if (!a) return this.#u.constant(0n)
    const { low, high, highMax } = a
    if (!high) return low
    return highMax <= FEW ? this.#reduceFew(low, high) : this.#reduceWords(this.#u.copy(low), high)
  }

  /** Dropped: the sum's carry (high / 2^32). */
  #reduceFew(low: Value, high: Value): Value {
    const u = this.#u
    const product = u.copy(high)
    u.multiplyInPlace(product, u.constant(EPS))
    return u.add(product, low)
  }

  reduceLinear = (a: IntegerSum): Value => this.reduce(a)

  settle = (a: IntegerSum): IntegerSum => a

  repeat = (step: Step, rows: ConstantRows, state: readonly Value[]): Value[] =>
    this.#steps.repeat(this, step, rows, state)

  turns = (step: Step): Turns => (this.#whole ? { ...this.#whole.turns(step), runs: 1 } : atOnce(this))

  /** Where they stand: they are not to be read once the state has changed. */
  loadState = (elements: number): Value[] => this.elementsAt(memory(STATE_POINTER, this.#stateOffset), elements)

  storeState(state: readonly Value[]): void {
    const place = (i: number) => memory(STATE_POINTER, this.#stateOffset + 8 * i)
    const moved = state.flatMap((x, i) => (isAt(x, place(i)) ? [] : [{ i, word: this.#u.register(x) }]))
    for (const { i, word } of moved) this.#u.store(place(i), word)
  }

  /** Elements stored by `storeAt`. */
  elementsAt = (place: Memory, elements: number): Value[] =>
    Array.from({ length: elements }, (_, i) => behind(place, i))

  storeAt(place: Memory, elements: readonly Value[]): void {
    elements.forEach((x, i) => {
      this.#u.store(behind(place, i), x)
    })
  }
}

/** The n-th word from a place on. */
const behind = (place: Memory, n: number): Memory => ({ ...place, displacement: place.displacement + 8 * n })

const isAt = (value: Value, { base, displacement }: Memory): boolean =>
  value.kind === "memory" &&
  value.base?.kind === "register" &&
  value.base.n === base?.n &&
  value.displacement === displacement
