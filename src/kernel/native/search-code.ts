/**
 * The search program in machine code: the entry points of a kernel, and the subroutine that they share. Every
 * instruction set adds its loads, its stores and the instructions between blocks.
 */
import { WIDTH } from "../../pow/constants.ts"
import type { Label } from "../compiler/operands.ts"
import type { Ops } from "../ops.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import type { StatefulOps } from "../together.ts"
import type { SearchLayout } from "./context.ts"
import type { SearchEntry } from "./native-kernel.ts"
import type { Code } from "./rolled-steps.ts"

/** A number of batches: known when the kernel is rendered, or the word at a byte offset of the context. */
export type BatchCount = number | { readonly at: number }

/** The vocabularies of a kernel. */
export interface SearchOps<Shared, Lanes> {
  /** Computes values that all nonces share. */
  readonly shared: Shared
  /** Computes on one group of a batch's nonces; a batch has one or more equal groups. */
  readonly group: Lanes
  /** Computes on a whole batch. */
  readonly batch: Lanes
}

export abstract class SearchCode<
  R extends Code,
  Layout extends SearchLayout,
  Shared extends Ops<unknown, unknown>,
  Lanes extends StatefulOps<unknown, unknown>,
> {
  protected readonly shared: Shared
  protected readonly group: Lanes
  protected readonly batch: Lanes
  readonly #test: Label

  constructor(
    protected readonly routine: R,
    protected readonly layout: Layout,
    { shared, group, batch }: SearchOps<Shared, Lanes>,
  ) {
    this.shared = shared
    this.group = group
    this.batch = batch
    this.#test = routine.label("test")
  }

  // Offsets below are byte offsets of the context.

  /** Renders an entry point. */
  protected abstract entry(name: SearchEntry, body: () => void): Label
  /** Renders a subroutine that `call` can reach. */
  protected abstract subroutine(label: Label, body: () => void): void
  protected abstract call(label: Label): void

  /** Loads a state that all nonces share. */
  protected abstract sharedState(offset: number): unknown[]
  /** Loads a word that all nonces share. */
  protected abstract sharedWord(offset: number): unknown
  protected abstract storeShared(offset: number, state: readonly unknown[]): void
  /** Stores a shared state as words below p. */
  protected abstract storeCanonical(offset: number, state: readonly unknown[]): void

  /** Loads a state of 12 words into every lane of the group. */
  protected abstract everywhere(offset: number): unknown[]
  /** Loads a state as `everywhere`, and the number of each nonce within the row. */
  protected abstract everywhereWithCounters(offset: number): { state: unknown[]; counters: unknown }
  /**
   * Computes the low 32 bits of FIRST plus each nonce's number, with their bytes reversed: the nonce's last limb.
   * @returns converts the limbs to an element
   */
  protected abstract lastLimbs(): () => unknown
  /** Stores the columns' parts of the group as words below p. */
  protected abstract storeColumns(columns: readonly unknown[]): void
  protected abstract loadColumns(): unknown[]
  /** Stores which nonces of the batch are candidates, given the first element of each hash. */
  protected abstract storeResults(hash: unknown): void
  /** Bytes that `storeResults` stores. */
  protected abstract readonly resultBytes: number

  /** Sets a word to a number of batches. */
  protected abstract setCount(word: number, count: BatchCount): void
  /** Sets a word to the address of an area. */
  protected abstract setPointer(word: number, area: number): void
  /** Sets a word to 0. */
  protected abstract clear(word: number): void
  protected abstract advance(word: number, by: number): void
  /** Decrements a word and jumps unless it is 0. */
  protected abstract countDown(word: number, label: Label): void
  /** Renders the groups of a batch, with `nextColumns` and `nextCounter` at each, and what follows them. */
  protected abstract groups(ofGroup: () => void, ofBatch: () => void): void
  /** Called after a loop over batches. @param start its first instruction */
  protected loopEnded(_start: Label): void {}

  /** Renders the entry points. */
  entries(): Record<SearchEntry, Label> {
    return {
      permute: this.#permute(),
      preparePlane: this.#preparePlane(),
      searchRow: this.#searchRow(),
      searchRange: this.#searchRange(),
    }
  }

  /** Computes OUTPUT, the permutation of INPUT. */
  #permute(): Label {
    const { shared, layout } = this
    return this.entry("permute", () =>
      this.storeCanonical(layout.output, permutation(shared, this.sharedState(layout.input))),
    )
  }

  /** Computes PLANE and COLUMNS from INPUT. */
  #preparePlane(): Label {
    const { shared, group, layout } = this
    return this.entry("preparePlane", () => {
      this.storeShared(layout.plane, plane(shared, this.sharedState(layout.input)))
      this.#overBatches(layout.rowBatches, () => {
        const { state, counters } = this.everywhereWithCounters(layout.plane)
        this.storeColumns(columnPart(group, state, counters))
      })
    })
  }

  /** Computes the RESULTS of row t0 = FIRST of the plane. */
  #searchRow(): Label {
    const { shared, group, layout } = this
    return this.entry("searchRow", () => {
      const state = this.sharedState(layout.plane)
      this.storeShared(layout.rowPart, rowPart(shared, state, this.sharedWord(layout.first)))
      this.#overBatches(
        layout.rowBatches,
        () => {
          const columns = this.loadColumns()
          group.storeState(crossing(group, this.everywhere(layout.rowPart), columns))
        },
        () => this.call(this.#test),
      )
    })
  }

  /** Computes the RESULTS of BATCHES batches of counters, starting at FIRST, on the state INPUT. */
  #searchRange(): Label {
    const { group, layout } = this
    return this.entry("searchRange", () => {
      this.#overBatches(
        { at: layout.batches },
        () => {
          const toElement = this.lastLimbs()
          const state = this.everywhere(layout.input)
          const last = group.reduce(group.add(group.widen(state[7]), group.widen(toElement())))
          group.storeState(firstRound(group, state.with(7, last)))
        },
        () => this.call(this.#test),
      )
    })
  }

  /** Renders the subroutine that hashes a batch from its state after the first round and stores its RESULTS. */
  test(): void {
    const { batch, layout } = this
    this.subroutine(this.#test, () => {
      this.storeResults(hashElement(batch, batch.loadState(WIDTH)))
      this.advance(layout.nextResults, this.resultBytes)
    })
  }

  #overBatches(count: BatchCount, ofGroup: () => void, ofBatch: () => void = () => {}): void {
    const { routine, layout } = this
    const next = routine.label("batch")
    this.setCount(layout.batchesLeft, count)
    this.setPointer(layout.nextColumns, layout.columns)
    this.setPointer(layout.nextResults, layout.results)
    this.clear(layout.nextCounter)
    routine.bind(next)
    this.groups(ofGroup, ofBatch)
    this.countDown(layout.batchesLeft, next)
    this.loopEnded(next)
  }
}
