/**
 * The vocabulary of the GPU languages: 32-bit words with carries, 64-bit pairs, and wide multiply-adds. `LimbOps`
 * describes the arithmetic over it once; PTX and OpenCL C print it.
 *
 * PTX has one carry flag, so a printer may refuse a carry that is not the last one made (`RangeError`). Arithmetic for
 * such a printer uses every carry right after the operation that sets it.
 */
import type { Constant, ConstantTable, Step } from "../ops.ts"
import type { Phase } from "../phases.ts"

/** A 32-bit word: a register, a variable, or a literal. */
export type Word = string

/** A 64-bit value. */
export type Pair = string

/** A carry, 0 or 1. */
export type Carry = string

/** A borrow, 0 or 1. */
export type Borrow = string

/** An element low + φ high, 0 … 2^64 − 1. */
export type Limbs = readonly [low: Word, high: Word]

/** Renders one application of a step by a text that is bound to an entry of the step's table. */
export type StepBody = (
  text: LimbText,
  step: Step,
  constants: readonly Constant[],
  state: readonly Limbs[],
) => readonly Limbs[]

export interface LimbText {
  /** @param value 0 … 2^32 − 1 */
  literal(value: bigint): Word
  /** Returns 2^32 − 1 in a register whose value the compiler does not know, so that it multiplies by it. */
  opaqueEps(): Word

  /** Computes a + b modulo 2^32. */
  add(a: Word, b: Word): Word
  /** Computes a + b. */
  addOut(a: Word, b: Word): [sum: Word, carry: Carry]
  /** Computes a + b + carry. */
  addInOut(a: Word, b: Word, carry: Carry): [sum: Word, carry: Carry]
  /** Computes a + b + carry modulo 2^32. */
  addIn(a: Word, b: Word, carry: Carry): Word
  /** Computes a − b modulo 2^32. */
  subtract(a: Word, b: Word): Word
  /** Computes a − b. */
  subtractOut(a: Word, b: Word): [difference: Word, borrow: Borrow]
  /** Computes a − b − borrow. */
  subtractInOut(a: Word, b: Word, borrow: Borrow): [difference: Word, borrow: Borrow]
  /** Computes a − b − borrow modulo 2^32. */
  subtractIn(a: Word, b: Word, borrow: Borrow): Word
  /** Computes a · 2^bits modulo 2^32. */
  shiftLeft(a: Word, bits: number): Word
  /** Computes ⌊a / 2^bits⌋. */
  shiftRight(a: Word, bits: number): Word
  /** Computes the high word of (low + φ high) · 2^bits. */
  shiftAcross(low: Word, high: Word, bits: number): Word

  pack(low: Word, high: Word): Pair
  unpack(pair: Pair): Limbs
  /** Returns a word as a pair. */
  extend(word: Word): Pair
  /** Computes a + b modulo 2^64. */
  addPairs(a: Pair, b: Pair): Pair
  /** Computes a − b modulo 2^64. */
  subtractPairs(a: Pair, b: Pair): Pair
  /** Computes ⌊a / 2^bits⌋. */
  shiftPairRight(a: Pair, bits: number): Pair

  /** Computes a · b. */
  multiplyWide(a: Word, b: Word): Pair
  /** Computes a · b + addend modulo 2^64. */
  multiplyAddWide(a: Word, b: Word, addend: Pair): Pair
  /** Computes a · b + addend + carry modulo 2^64 on words. */
  multiplyAdd(a: Word, b: Word, addend: Limbs, carry?: Carry): Limbs
  /** Computes a · b + addend + carry on words. */
  multiplyAddOut(a: Word, b: Word, addend: Limbs, carry?: Carry): [sum: Limbs, carry: Carry]

  /** Loads the constant in column `column` of the current entry. @throws TypeError outside a loop */
  constant(column: number): Limbs
  /** Applies the step once per entry of the table in a loop. */
  loop(step: Step, table: ConstantTable, state: readonly Limbs[], body: StepBody): Limbs[]
  /** Applies the phases in order, in code that contains every step once. */
  loopPhases(phases: readonly Phase[], state: readonly Limbs[], body: StepBody): Limbs[]
}
