/** What x86-64 kernels require of a vocabulary in addition to `ops.ts`. */
import type { Step } from "../../ops.ts"
import type { StatefulOps } from "../../together.ts"
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

/** Elements are converted from and to words, one per lane of each lane set, and are kept in memory at `STATE_POINTER` between blocks. */
export interface BatchOps<V, W> extends StatefulOps<V, W> {
  /** The lane sets that hold an element's words, in the order of the nonces. */
  readonly laneSets: readonly LaneSet[]
  /** @param words any 64-bit words, one value per lane set */
  fromWords(words: readonly Value[]): V
  /** @returns canonical words, one value per lane set */
  toWords(x: V): Value[]
  planOf(step: Step): StepPlan
}
