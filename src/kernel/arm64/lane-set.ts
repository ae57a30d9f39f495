/** What kernels for arm64 ask of a vocabulary beyond `ops.ts`: a set of lanes, each of which works on a nonce. */

import type { Ops } from "../ops.ts"
import type { Register } from "./assembler/assembler.ts"

/** A word of memory: bytes from a register. */
export interface Place {
  readonly base: Register
  readonly offset: number
}

/** Elements go in and out as words, one a lane, and live in memory between blocks. */
export interface LaneOps<V, W> extends Ops<V, W> {
  readonly lanes: number
  /** Bytes of a whole state. */
  readonly stateBytes: number
  /** The same word of memory in every lane. */
  broadcast(place: Place): V
  /** Consecutive words of memory, one a lane. */
  load(place: Place): V
  /** The words of all lanes. @param place takes 8 bytes a lane */
  store(place: Place, x: V): void
  /** The word of the first lane. */
  storeFirst(place: Place, x: V): void
  /** The word of memory plus `lane`, `lane` + 1, … by lane. */
  counters(first: Place, lane: number): V
  /** Low half of the sum of the lanes' words and a word of memory, its bytes in the opposite order. */
  reverseSum(counters: V, first: Place): V
  /** Words below p. */
  canonical(x: V): V
  /** Stores 32 bits a lane: 0 if the canonical word, its bytes in the opposite order, is at or below the word of memory. */
  storeFlags(place: Place, x: V, target: Place): void
  /** The state through which steps are entered and left; elements from `linearFrom` on are linear. */
  loadState(elements: number, linearFrom?: number): V[]
  storeState(state: readonly V[], linearFrom?: number): void
}
