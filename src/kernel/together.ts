/**
 * Combines vocabularies, each with its own nonces. An operation is emitted for each in turn, so that the core finds
 * independent work while one waits, and for the ports that one leaves idle.
 */
import type { Constant, ConstantTable, Ops, Step } from "./ops.ts"

/** An element, or a sum, of each vocabulary. */
export type Parts = readonly unknown[]

/** A vocabulary whose state is in memory between steps. */
export interface StatefulOps<V, W> extends Ops<V, W> {
  /** Size in bytes of a state in memory. */
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

export abstract class Together<Each extends StatefulOps<unknown, unknown>> implements Ops<Parts, Parts> {
  readonly productsTakeConstants: boolean
  readonly stateBytes: number
  protected readonly each: readonly Each[]

  /** @param each the vocabularies; their states are consecutive, in this order */
  constructor(each: readonly Each[]) {
    this.each = each
    this.productsTakeConstants = each[0]!.productsTakeConstants
    this.stateBytes = each.reduce((sum, { stateBytes }) => sum + stateBytes, 0)
  }

  abstract repeat(step: Step, table: ConstantTable, state: readonly Parts[]): Parts[]

  square = (a: Parts): Parts => this.ofEach((ops, i) => ops.square(a[i]))
  multiply = (a: Parts, b: Parts): Parts => this.ofEach((ops, i) => ops.multiply(a[i], b[i]))
  product = (a: Parts, b: Parts): Parts => this.ofEach((ops, i) => ops.product(a[i], b[i]))
  zero = (): Parts => this.ofEach(ops => ops.zero())
  widen = (a: Parts): Parts => this.ofEach((ops, i) => ops.widen(a[i]))
  add = (a: Parts, b: Parts): Parts => this.ofEach((ops, i) => ops.add(a[i], b[i]))
  double = (a: Parts): Parts => this.ofEach((ops, i) => ops.double(a[i]))
  addConstant = (a: Parts, c: Constant): Parts => this.ofEach((ops, i) => ops.addConstant(a[i], c))
  multiplyAdd = (sum: Parts, a: Parts, c: Constant): Parts => this.ofEach((ops, i) => ops.multiplyAdd(sum[i], a[i], c))
  reduce = (a: Parts): Parts => this.ofEach((ops, i) => ops.reduce(a[i]))
  reduceLinear = (a: Parts): Parts => this.ofEach((ops, i) => ops.reduceLinear(a[i]))
  settle = (a: Parts): Parts => this.ofEach((ops, i) => ops.settle(a[i]))

  loadState = (elements: number, linearFrom?: number): Parts[] => {
    const states = this.ofEach(ops => ops.loadState(elements, linearFrom))
    return Array.from({ length: elements }, (_, i) => states.map(state => state[i]))
  }

  storeState = (state: readonly Parts[], linearFrom?: number): void =>
    this.each.forEach((ops, i) => {
      ops.storeState(
        state.map(x => x[i]),
        linearFrom,
      )
    })

  protected ofEach<T>(of: (ops: Each, i: number) => T): T[] {
    return this.each.map(of)
  }
}
