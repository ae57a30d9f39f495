/** Combines lane sets, each with its own nonces. */
import type { ConstantTable, Step } from "../ops.ts"
import { type Parts, Together } from "../together.ts"
import type { Place } from "./assembler/operands.ts"
import type { LaneOps } from "./lane-set.ts"
import type { Steps } from "./steps.ts"

export class TogetherOps extends Together<LaneOps<unknown, unknown>> implements LaneOps<Parts, Parts> {
  readonly lanes: number
  readonly #steps: Steps
  /** The first lane of each set. */
  readonly #firstLanes: readonly number[]

  constructor(each: readonly LaneOps<unknown, unknown>[], steps: Steps) {
    super(each)
    this.#steps = steps
    this.lanes = each.reduce((sum, { lanes }) => sum + lanes, 0)
    let lanes = 0
    this.#firstLanes = each.map(ops => (lanes += ops.lanes) - ops.lanes)
  }

  repeat = (step: Step, table: ConstantTable, state: readonly Parts[]): Parts[] =>
    this.#steps.repeat(this, step, table, state)

  broadcast = (place: Place): Parts => this.ofEach(ops => ops.broadcast(place))
  load = (place: Place): Parts => this.ofEach((ops, i) => ops.load(this.#lane(place, i, 8)))
  store = (place: Place, x: Parts): void => void this.ofEach((ops, i) => ops.store(this.#lane(place, i, 8), x[i]))
  storeFirst = (place: Place, x: Parts): void => this.each[0]!.storeFirst(place, x[0])
  counters = (first: Place, lane: number): Parts =>
    this.ofEach((ops, i) => ops.counters(first, lane + this.#firstLanes[i]!))
  reverseSum = (counters: Parts, first: Place): Parts => this.ofEach((ops, i) => ops.reverseSum(counters[i], first))
  canonical = (x: Parts): Parts => this.ofEach((ops, i) => ops.canonical(x[i]))
  storeFlags = (place: Place, x: Parts, target: Place): void =>
    void this.ofEach((ops, i) => ops.storeFlags(this.#lane(place, i, 4), x[i], target))

  #lane = (place: Place, i: number, bytes: number): Place => ({
    ...place,
    displacement: place.displacement + bytes * this.#firstLanes[i]!,
  })
}
