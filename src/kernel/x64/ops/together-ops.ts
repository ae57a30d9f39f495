/** Combines the vocabularies of a batch. */
import type { ConstantTable, Step } from "../../ops.ts"
import { type Parts, Together } from "../../together.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"
import { type BatchOps, inOnePart, type StepPlan } from "./batch-ops.ts"
import type { Steps } from "./steps.ts"

export class TogetherOps extends Together<BatchOps<unknown, unknown>> implements BatchOps<Parts, Parts> {
  readonly reusesSteps = true
  readonly laneSets: readonly LaneSet[]
  readonly #steps: Steps
  readonly #areAlike: boolean

  /**
   * @param each the vocabularies; their states are consecutive, in this order
   * @param areAlike whether all render the same code; if so, a step that is not serial is rendered once and called for
   *   each state, which makes the code smaller
   */
  constructor(each: readonly BatchOps<unknown, unknown>[], steps: Steps, areAlike: boolean) {
    super(each)
    this.#steps = steps
    this.#areAlike = areAlike
    this.laneSets = each.flatMap(({ laneSets }) => laneSets)
  }

  repeat = (step: Step, table: ConstantTable, state: readonly Parts[]): Parts[] =>
    this.#steps.repeat(this, step, table, state)

  /** A serial step is rendered for all vocabularies together, to hide its latency. */
  planOf(step: Step): StepPlan {
    if (step.isSerial) return inOnePart(this)
    if (!this.#areAlike) return { parts: this.each, runs: 1, bytes: 0 }
    const [first] = this.each
    return { parts: first!.planOf(step).parts, runs: this.each.length, bytes: first!.stateBytes }
  }

  fromWords(words: readonly Value[]): Parts {
    let taken = 0
    return this.ofEach(ops => ops.fromWords(words.slice(taken, (taken += ops.laneSets.length))))
  }

  toWords = (x: Parts): Value[] => this.ofEach((ops, i) => ops.toWords(x[i])).flat()
}
