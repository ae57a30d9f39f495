/** Arithmetic on 64-bit words, one per lane: in vector registers of one width, or in integer registers with one lane. */
import type { Memory, Register, VirtualRegister } from "../assembler/operands.ts"
import type { Routine } from "../compiler/routine.ts"

/** A memory operand; its address may be in a virtual register. */
export type Place = Memory<VirtualRegister | Register>

/** One word per lane, in a register or in memory that instructions read directly. */
export type Value = VirtualRegister | Place

/** The widest lane set of a kernel: it determines the layout of constants and what an entry point sets up. */
export interface MainLaneSet extends LaneSet {
  readonly routine: Routine
  /** @returns the words as `repeated` expects them in memory */
  repeatedWords(words: readonly bigint[]): bigint[]
  /** Size in bytes of one word in the layout of `repeatedWords`. */
  readonly repeatedBytes: number
  /** Appends an entry point's first instructions. */
  begin(): void
  /** Appends an entry point's last instructions. */
  end(): void
}

/** All sums are modulo 2^64. */
export interface LaneSet {
  /** Words per value; each belongs to another nonce. */
  readonly lanes: number

  /** @returns memory that holds the word, readable as a value with the word in every lane */
  constant(word: bigint): Memory
  /** @returns the operand that reads the word at `place` into every lane; AVX2 expects one copy of the word per lane */
  repeated(place: Memory): Memory
  /** @returns the single word at `place` in every lane */
  broadcastWord(place: Place): Value
  /** @returns consecutive words from `place` on */
  load(place: Place): Value
  /** Stores consecutive words from `place` on. */
  store(place: Place, words: Value): void
  /** @returns the word at `first` plus `lane` + *i* in lane *i* */
  counters(first: Place, lane: number): Value

  add(a: Value, b: Value): Value
  xor(a: Value, b: Value): Value
  /** @returns each word with its bytes reversed */
  reverseBytes(a: Value): Value
  /** @returns the low half of each word with its bytes reversed, the high half 0 */
  reverseLowBytes(a: Value): Value
  /** @returns x − p if x ≥ p, x otherwise, in 0 … p − 1 */
  canonical(x: Value): Value
  /** Stores a 32-bit mask at `place`: bit *i* is set if a > b, as signed words, in lane *i*. */
  storeAbove(place: Place, a: Value, b: Value): void
}
