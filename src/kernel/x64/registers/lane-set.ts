/** What works on a batch's words, lane by lane: vectors of one width, or the integer registers, one nonce at a time. */
import type { Memory, Register, VirtualRegister } from "../assembler/operands.ts"

export type Place = Memory<VirtualRegister | Register>

/** Words, one a lane: in a register, or in memory from where instructions take them as they need them. */
export type Value = VirtualRegister | Place

export interface LaneSet {
  /** Nonces that a value holds a word of. */
  readonly lanes: number

  /** The same word in every lane, in memory. */
  constant(word: bigint): Memory
  /** A word of memory, to be read as the same in every lane. */
  repeated(place: Memory): Memory
  /** A word of memory in every lane. */
  broadcastWord(place: Place): Value
  load(place: Place): Value
  store(place: Place, words: Value): void
  /** The word of memory plus `lane`, `lane` + 1, … by lane. */
  counters(first: Place, lane: number): Value

  add(a: Value, b: Value): Value
  xor(a: Value, b: Value): Value
  /** Each word with its bytes in the opposite order. */
  reverseBytes(a: Value): Value
  /** Each word's low half with its bytes in the opposite order, the high half 0. */
  reverseLowBytes(a: Value): Value
  /** x − p where that is not negative. */
  canonical(x: Value): Value
  /** Stores 32 bits at `place`: one a lane, set where `a`, compared as signed, is above `b`. */
  storeAbove(place: Place, a: Value, b: Value): void
}
