/**
 * Combines lane sets, each with its own nonces. An operation is emitted for each in turn, so that the scheduler finds
 * independent work while one waits, and for the ports that one leaves idle.
 */
import type { Constant, ConstantTable, Step } from "../ops.ts"
import type { Place } from "./assembler/operands.ts"
import type { LaneOps } from "./lane-set.ts"
import type { Steps } from "./steps.ts"

/** An element, or a sum, of each lane set. */
type Parts = readonly unknown[]

export class TogetherOps implements LaneOps<Parts, Parts> {
  readonly productsTakeConstants = false
  readonly lanes: number
  readonly stateBytes: number
  readonly #each: readonly LaneOps<unknown, unknown>[]
  readonly #steps: Steps
  /** The first lane of each set. */
  readonly #firstLanes: readonly number[]

  constructor(each: readonly LaneOps<unknown, unknown>[], steps: Steps) {
    this.#each = each
    this.#steps = steps
    this.lanes = each.reduce((sum, { lanes }) => sum + lanes, 0)
    this.stateBytes = each.reduce((sum, { stateBytes }) => sum + stateBytes, 0)
    let lanes = 0
    this.#firstLanes = each.map(ops => (lanes += ops.lanes) - ops.lanes)
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

  broadcast = (place: Place): Parts => this.#map(ops => ops.broadcast(place))
  load = (place: Place): Parts => this.#map((ops, i) => ops.load(this.#lane(place, i, 8)))
  store = (place: Place, x: Parts): void => void this.#map((ops, i) => ops.store(this.#lane(place, i, 8), x[i]))
  storeFirst = (place: Place, x: Parts): void => this.#each[0]!.storeFirst(place, x[0])
  counters = (first: Place, lane: number): Parts =>
    this.#map((ops, i) => ops.counters(first, lane + this.#firstLanes[i]!))
  reverseSum = (counters: Parts, first: Place): Parts => this.#map((ops, i) => ops.reverseSum(counters[i], first))
  canonical = (x: Parts): Parts => this.#map((ops, i) => ops.canonical(x[i]))
  storeFlags = (place: Place, x: Parts, target: Place): void =>
    void this.#map((ops, i) => ops.storeFlags(this.#lane(place, i, 4), x[i], target))

  loadState = (elements: number, linearFrom?: number): Parts[] => {
    const states = this.#map(ops => ops.loadState(elements, linearFrom))
    return Array.from({ length: elements }, (_, i) => states.map(state => state[i]!))
  }

  storeState = (state: readonly Parts[], linearFrom?: number): void =>
    void this.#map((ops, i) =>
      ops.storeState(
        state.map(x => x[i]),
        linearFrom,
      ),
    )

  #lane = (place: Place, i: number, bytes: number): Place => ({
    ...place,
    displacement: place.displacement + bytes * this.#firstLanes[i]!,
  })

  #map<T>(of: (ops: LaneOps<unknown, unknown>, i: number) => T): T[] {
    return this.#each.map(of)
  }
}
