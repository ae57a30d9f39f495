/** What x86-64 kernels require of a vocabulary in addition to `ops.ts`. */
import type { Ops, Step } from "../../ops.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"

/** How a step is rendered and called: code is emitted once per part and called `runs` times. */
export interface StepPlan {
  readonly parts: readonly BatchOps<unknown, unknown>[]
  readonly runs: number
  /** Bytes by which the state pointer advances between runs. */
  readonly bytes: number
}

/** One part for all lane sets, called once. */
export const inOnePart = (ops: BatchOps<unknown, unknown>): StepPlan => ({ parts: [ops], runs: 1, bytes: 0 })

/** Elements are converted from and to words, one per lane of each lane set, and are kept in memory between blocks. */
export interface BatchOps<V, W> extends Ops<V, W> {
  /** The lane sets that hold an element's words, in the order of the nonces. */
  readonly laneSets: readonly LaneSet[]
  /** @param words any 64-bit words, one value per lane set */
  fromWords(words: readonly Value[]): V
  /** @returns canonical words, one value per lane set */
  toWords(x: V): Value[]
  planOf(step: Step): StepPlan
  /** Size in bytes of a whole state in the memory at `STATE_POINTER`. */
  readonly stateBytes: number
  /**
   * @param elements length of the state
   * @param linearFrom index of the first linear element; absent if there are none
   * @returns the state that a step receives or returns; its elements must not be used after the next load or store
   */
  loadState(elements: number, linearFrom?: number): V[]
  /** Stores the state that a step receives or returns. @param linearFrom as in `loadState` */
  storeState(state: readonly V[], linearFrom?: number): void
}
