/**
 * Any vocabulary on two vectors of nonces at once: each operation is emitted for one and then for the other, so that the
 * scheduler finds independent work wherever one waits. A step whose operations do not wait for each other is rendered for
 * one vector, and run for one and then the other: half the code.
 */
import type { Constant, ConstantRows, Step } from "../ops.ts"
import type { Memory } from "./assembler/operands.ts"
import type { Steps, VectorOps } from "./steps.ts"
import type { Vector } from "./vectors.ts"

export type Both<T> = readonly [T, T]

export class PairedOps<V, W> implements VectorOps<Both<V>, Both<W>> {
  readonly streams = 2
  readonly productsTakeConstants: boolean
  readonly stateBytes: number
  readonly #each: Both<VectorOps<V, W>>
  readonly #steps: Steps

  /** @param each the same vocabulary twice, the second's state behind the first's */
  constructor(each: Both<VectorOps<V, W>>, steps: Steps) {
    this.#each = each
    this.#steps = steps
    this.productsTakeConstants = each[0].productsTakeConstants
    this.stateBytes = 2 * each[0].stateBytes
  }

  square = (a: Both<V>): Both<V> => this.#both((ops, i) => ops.square(a[i]))
  multiply = (a: Both<V>, b: Both<V>): Both<V> => this.#both((ops, i) => ops.multiply(a[i], b[i]))
  product = (a: Both<V>, b: Both<V>): Both<W> => this.#both((ops, i) => ops.product(a[i], b[i]))
  zero = (): Both<W> => this.#both(ops => ops.zero())
  widen = (a: Both<V>): Both<W> => this.#both((ops, i) => ops.widen(a[i]))
  add = (a: Both<W>, b: Both<W>): Both<W> => this.#both((ops, i) => ops.add(a[i], b[i]))
  double = (a: Both<W>): Both<W> => this.#both((ops, i) => ops.double(a[i]))
  addConstant = (a: Both<W>, c: Constant): Both<W> => this.#both((ops, i) => ops.addConstant(a[i], c))
  multiplyAdd = (sum: Both<W>, a: Both<V>, c: Constant): Both<W> =>
    this.#both((ops, i) => ops.multiplyAdd(sum[i], a[i], c))
  reduce = (a: Both<W>): Both<V> => this.#both((ops, i) => ops.reduce(a[i]))
  reduceLinear = (a: Both<W>): Both<V> => this.#both((ops, i) => ops.reduceLinear(a[i]))
  settle = (a: Both<W>): Both<W> => this.#both((ops, i) => ops.settle(a[i]))

  repeat = (step: Step, rows: ConstantRows, state: readonly Both<V>[]): Both<V>[] =>
    step.isSerial
      ? this.#steps.repeat(this, step, rows, state)
      : this.#steps.repeat(this, step, rows, state, this.#each[0])

  fromWords = (words: readonly Vector[]): Both<V> => this.#both((ops, i) => ops.fromWords([words[i]!]))
  toWords = (x: Both<V>): Vector[] => this.#both((ops, i) => ops.toWords(x[i])).flat()

  keep(place: Memory, elements: readonly Both<V>[]): void {
    this.#both((ops, i) =>
      ops.keep(
        this.#half(place, i),
        elements.map(x => x[i]),
      ),
    )
  }

  kept = (place: Memory, elements: number): Both<V>[] =>
    zip(this.#both((ops, i) => ops.kept(this.#half(place, i), elements)))

  loadState = (elements: number, linearFrom?: number): Both<V>[] =>
    zip(this.#both(ops => ops.loadState(elements, linearFrom)))

  storeState(state: readonly Both<V>[], linearFrom?: number): void {
    this.#both((ops, i) =>
      ops.storeState(
        state.map(x => x[i]),
        linearFrom,
      ),
    )
  }

  #half(place: Memory, i: 0 | 1): Memory {
    return { ...place, displacement: place.displacement + i * this.#each[0].stateBytes }
  }

  #both<T>(of: (ops: VectorOps<V, W>, i: 0 | 1) => T): [T, T] {
    return [of(this.#each[0], 0), of(this.#each[1], 1)]
  }
}

const zip = <T>([a, b]: Both<T[]>): Both<T>[] => a.map((x, i) => [x, b[i]!])
