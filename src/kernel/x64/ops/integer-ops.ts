/**
 * The vocabulary of `ops.ts` on one nonce in integer registers (BMI2): 64 × 64-bit products and sums of 128 bits.
 * EPS = 2^32 − 1 ≡ 2^64 modulo p.
 *
 * An element is any 64-bit word. Carries and borrows that occur with a probability of about 2^-32 are dropped; comments
 * note each one.
 */

import { WIDTH } from "../../../pow/constants.ts"
import { EPS } from "../../goldilocks.ts"
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import { type Memory, memory, type VirtualRegister } from "../assembler/operands.ts"
import type { Integers } from "../registers/integers.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"
import { type BatchOps, inOnePart, type StepPlan } from "./batch-ops.ts"
import { STATE_POINTER, type Steps } from "./steps.ts"

/** low + 2^64 high; an absent high word is 0. */
interface Wide {
  readonly low: Value
  readonly high?: Value
  /** Upper bound of the high word. */
  readonly highMax: bigint
}

/** A 128-bit sum; undefined if empty. */
export type IntegerSum = Wide | undefined

/** Size in bytes of the state of one nonce, a multiple of a cache line. */
export const INTEGER_STATE_BYTES = Math.ceil((8 * WIDTH) / 64) * 64

const WORD = 2n ** 64n
/** Up to this high word, a wrap of low + EPS · high is ignored: its probability is at most 2^-26. */
const MAX_RARE_HIGH = 64n

export class IntegerOps implements BatchOps<Value, IntegerSum> {
  readonly productsTakeConstants: boolean
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes = INTEGER_STATE_BYTES
  readonly #r: Integers
  readonly #steps: Steps
  readonly #stateOffset: number
  readonly #batch: BatchOps<unknown, unknown> | undefined

  /**
   * @param stateOffset bytes from `STATE_POINTER` to this nonce's state
   * @param batch the full batch that steps are compiled for, if this is one of its lane sets; the other lanes compute
   *   unused values
   */
  constructor(integers: Integers, steps: Steps, stateOffset = 0, batch?: BatchOps<unknown, unknown>) {
    this.laneSets = [integers]
    this.#r = integers
    this.#steps = steps
    this.#stateOffset = stateOffset
    this.#batch = batch
    this.productsTakeConstants = batch?.productsTakeConstants ?? false
  }

  fromWords = ([word]: readonly Value[]): Value => word!
  toWords = (x: Value): Value[] => [this.#r.canonical(x)]

  /** Computes a². 9 instructions, 7 of them for the reduction. */
  square = (a: Value): Value => this.multiply(a, a)

  /** Computes a · b. */
  multiply(a: Value, b: Value): Value {
    const { low, high } = this.#r.multiply(a, b)
    return this.#reduceWords(low, high)
  }

  /**
   * Computes low + 2^64 high modulo p as low − (high >> 32) + (high & EPS) · EPS, plus EPS if that sum wraps. Returns a
   * 64-bit word, not necessarily canonical. Dropped: the borrow of the difference (2^-33).
   * @param low overwritten
   */
  #reduceWords(low: VirtualRegister, high: Value): Value {
    const r = this.#r
    const [top, bottom] = [r.high(high), r.low(high)]
    r.subtractInPlace(low, top)
    r.multiplyInPlace(bottom, r.constant(EPS))
    r.addWithCarry(low, bottom, top)
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
    return { ...this.#r.addWide(a.low, a.high, b.low, b.high), highMax }
  }

  double = (a: IntegerSum): IntegerSum => this.add(a, a)

  addConstant(a: IntegerSum, constant: Constant): IntegerSum {
    return this.add(a, this.widen(this.#steps.constant(this.#r, constant, "word", c => c)))
  }

  multiplyAdd(sum: IntegerSum, a: Value, constant: Constant): IntegerSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    const { low, high } = this.#r.multiply(a, this.#r.constant(constant))
    return this.add({ low, high, highMax: constant === 0n ? 0n : constant - 1n }, sum)
  }

  reduce(a: IntegerSum): Value {
    if (!a) return this.#r.constant(0n)
    const { low, high, highMax } = a
    if (!high) return low
    return highMax <= MAX_RARE_HIGH ? this.#reduceSmallHigh(low, high) : this.#reduceWords(this.#r.copy(low), high)
  }

  /** Computes low + EPS · high. Assumes high ≤ `MAX_RARE_HIGH`. Dropped: the carry of the sum (high / 2^32). */
  #reduceSmallHigh(low: Value, high: Value): Value {
    const r = this.#r
    const product = r.copy(high)
    r.multiplyInPlace(product, r.constant(EPS))
    return r.add(product, low)
  }

  reduceLinear = (a: IntegerSum): Value => this.reduce(a)

  settle = (a: IntegerSum): IntegerSum => a

  repeat = (step: Step, table: ConstantTable, state: readonly Value[]): Value[] =>
    this.#steps.repeat(this, step, table, state)

  planOf = (step: Step): StepPlan => (this.#batch ? { ...this.#batch.planOf(step), runs: 1 } : inOnePart(this))

  /** The elements stay in memory: they must not be read after the state has changed. */
  loadState = (elements: number): Value[] => this.elementsAt(memory(STATE_POINTER, this.#stateOffset), elements)

  storeState(state: readonly Value[]): void {
    const place = (i: number) => memory(STATE_POINTER, this.#stateOffset + 8 * i)
    const moved = state.flatMap((x, i) => (isAt(x, place(i)) ? [] : [{ i, word: this.#r.register(x) }]))
    for (const { i, word } of moved) this.#r.store(place(i), word)
  }

  /** @returns consecutive elements in memory, as stored by `storeAt` */
  elementsAt = (place: Memory, elements: number): Value[] =>
    Array.from({ length: elements }, (_, i) => wordAt(place, i))

  /** Stores consecutive elements from `place` on. */
  storeAt(place: Memory, elements: readonly Value[]): void {
    elements.forEach((x, i) => {
      this.#r.store(wordAt(place, i), x)
    })
  }
}

/** @returns the address of word `n` from `place` on */
const wordAt = (place: Memory, n: number): Memory => ({ ...place, displacement: place.displacement + 8 * n })

const isAt = (value: Value, { base, displacement }: Memory): boolean =>
  value.kind === "memory" &&
  value.base?.kind === "register" &&
  value.base.n === base?.n &&
  value.displacement === displacement
