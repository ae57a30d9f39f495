/**
 * Combines vocabularies, each with its own nonces. An operation is emitted for each in turn, so that the core finds
 * independent work while one waits, and for the ports that one leaves idle.
 */
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import type { LaneSet, Value } from "../registers/lane-set.ts"
import { type BatchOps, inOnePart, type StepPlan } from "./batch-ops.ts"
import type { Steps } from "./steps.ts"

/** An element, or a sum, of each vocabulary. */
type Parts = readonly unknown[]

export class TogetherOps implements BatchOps<Parts, Parts> {
  readonly productsTakeConstants: boolean
  readonly reusesSteps = true
  readonly laneSets: readonly LaneSet[]
  readonly stateBytes: number
  readonly #each: readonly BatchOps<unknown, unknown>[]
  readonly #steps: Steps
  readonly #areAlike: boolean

  /**
   * @param each the vocabularies; their states are consecutive, in this order
   * @param areAlike whether all render the same code; if so, a step that is not serial is rendered once and called for
   *   each state, which makes the code smaller
   */
  constructor(each: readonly BatchOps<unknown, unknown>[], steps: Steps, areAlike: boolean) {
    this.#each = each
    this.#steps = steps
    this.#areAlike = areAlike
    this.productsTakeConstants = each[0]!.productsTakeConstants
    this.laneSets = each.flatMap(({ laneSets }) => laneSets)
    this.stateBytes = each.reduce((sum, { stateBytes }) => sum + stateBytes, 0)
  }

  square = (a: Parts): Parts => this.#map((ops, i) => ops.square(a[i]))
  multiply = (a: Parts, b: Parts): Parts => this.#map((ops, i) => ops.multiply(a[i], b[i]))
  product = (a: Parts, b: Parts): Parts => this.#map((ops, i) => ops.product(a[i], b[i]))
  zero = (): Parts => this.#map(ops => ops.zero())
  widen = (a: Parts): Parts => this.#map((ops, i) => ops.widen(a[i]))
  add = (a: Parts, b: Parts): Parts => this.#map((ops, i) => ops.add(a[i], b[i]))
  double = (a: Parts): Parts => this.#map((ops, i) => ops.double(a[i]))
  addConstant = (a: Parts, c: Constant): Parts => this.#map((ops, i) => ops.addConstant(a[i], c))
  multiplyAdd = (sum: Parts, a: Parts, c: Constant): Parts => this.#map((ops, i) => ops.multiplyAdd(sum[i], a[i], c))
  reduce = (a: Parts): Parts => this.#map((ops, i) => ops.reduce(a[i]))
  reduceLinear = (a: Parts): Parts => this.#map((ops, i) => ops.reduceLinear(a[i]))
  settle = (a: Parts): Parts => this.#map((ops, i) => ops.settle(a[i]))

  repeat = (step: Step, table: ConstantTable, state: readonly Parts[]): Parts[] =>
    this.#steps.repeat(this, step, table, state)

  /** A serial step is rendered for all vocabularies together, to hide its latency. */
  planOf(step: Step): StepPlan {
    if (step.isSerial) return inOnePart(this)
    if (!this.#areAlike) return { parts: this.#each, runs: 1, bytes: 0 }
    const [first] = this.#each
    return { parts: first!.planOf(step).parts, runs: this.#each.length, bytes: first!.stateBytes }
  }

  fromWords(words: readonly Value[]): Parts {
    let taken = 0
    return this.#map(ops => ops.fromWords(words.slice(taken, (taken += ops.laneSets.length))))
  }

  toWords = (x: Parts): Value[] => this.#map((ops, i) => ops.toWords(x[i])).flat()

  loadState = (elements: number, linearFrom?: number): Parts[] =>
    transposed(this.#map(ops => ops.loadState(elements, linearFrom)))

  storeState(state: readonly Parts[], linearFrom?: number): void {
    this.#map((ops, i) =>
      ops.storeState(
        state.map(x => x[i]),
        linearFrom,
      ),
    )
  }

  #map<T>(of: (ops: BatchOps<unknown, unknown>, i: number) => T): T[] {
    return this.#each.map(of)
  }
}

const transposed = <T>(columns: readonly (readonly T[])[]): T[][] =>
  columns[0]!.map((_, i) => columns.map(column => column[i]!))
