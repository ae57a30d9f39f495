/** The operations of a vocabulary for arm64 beyond those of `ops.ts`. Each lane of a lane set tests one nonce. */

import type { StatefulOps } from "../together.ts"
import type { Place } from "./assembler/operands.ts"

/** Elements are loaded and stored as words, one per lane. Between blocks they are in memory. */
export interface LaneOps<V, W> extends StatefulOps<V, W> {
  readonly lanes: number
  /** Loads one word of memory into every lane. */
  broadcast(place: Place): V
  /** Loads consecutive words of memory, one per lane. */
  load(place: Place): V
  /** Stores the words of all lanes: 8 bytes per lane. */
  store(place: Place, x: V): void
  /** Stores the word of the first lane. */
  storeFirst(place: Place, x: V): void
  /** Computes the word at `first` plus `lane`, `lane` + 1, … in consecutive lanes. */
  counters(first: Place, lane: number): V
  /** Computes, in each lane, the low 32 bits of counter + the word at `first`, with their bytes reversed. */
  reverseSum(counters: V, first: Place): V
  /** Returns the element as words below p. */
  canonical(x: V): V
  /**
   * Stores 32 bits per lane: 0 if the word with its bytes reversed is at or below the word at `target`. Assumes a
   * canonical `x`.
   */
  storeFlags(place: Place, x: V, target: Place): void
}
