/** What kernels for x86-64 ask of a vocabulary beyond `ops.ts`. */
import type { Ops, Step } from "../../ops.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"

/** How a step is rendered, and run. */
export interface Turns {
  /** It is rendered for one after the other; */
  readonly parts: readonly BatchOps<unknown, unknown>[]
  /** and run so many times, each time on the state so many bytes behind the last one. */
  readonly runs: number
  readonly bytes: number
}

/** All of it together, once. */
export const atOnce = (ops: BatchOps<unknown, unknown>): Turns => ({ parts: [ops], runs: 1, bytes: 0 })

/** Elements go in and out as words, one a lane of each unit, and live in memory between blocks. */
export interface BatchOps<V, W> extends Ops<V, W> {
  /** What an element's words are spread over, in the order of the nonces. */
  readonly laneSets: readonly LaneSet[]
  /** @param words one value a unit */
  fromWords(words: readonly Value[]): V
  /** Canonical. */
  toWords(x: V): Value[]
  turns(step: Step): Turns
  /** Bytes of a whole state, in `STATE_POINTER`'s memory. */
  readonly stateBytes: number
  /** The state through which steps are entered and left; elements from `linearFrom` on are linear. */
  loadState(elements: number, linearFrom?: number): V[]
  storeState(state: readonly V[], linearFrom?: number): void
}
