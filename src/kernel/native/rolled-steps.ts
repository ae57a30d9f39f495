/**
 * Rolled loops: a step is rendered once, as a subroutine that applies it to a state in memory per entry of a table. Each
 * instruction set adds the instructions between blocks.
 */
import type { Label } from "../compiler/operands.ts"
import { TableColumns } from "../compiler/table-columns.ts"
import type { ConstantTable, Step, TableEntry } from "../ops.ts"
import type { StatefulOps } from "../together.ts"

/** What steps and search code need of a routine. */
export interface Code {
  label(name: string): Label
  bind(label: Label): void
  data(label: Label, words: readonly bigint[]): void
}

interface RenderedStep {
  readonly entry: Label
  /** Renders one application of the step. */
  readonly render: () => void
  readonly columns: TableColumns
  readonly calls: { readonly table: ConstantTable; readonly label: Label }[]
}

export abstract class RolledSteps<R extends Code> {
  readonly #steps = new Map<Step, RenderedStep>()
  /** The step being rendered. */
  #current: RenderedStep | undefined

  constructor(readonly routine: R) {}

  /** Appends the instructions of a step's subroutine, whose label is bound. @param entryWords words per table entry */
  protected abstract subroutine(name: string, entry: Label, render: () => void, entryWords: () => number): void

  /** @returns the words as a table holds them */
  protected abstract tableWords(words: readonly bigint[]): bigint[]

  /**
   * Stores the state, calls the step's subroutine and loads the state.
   * @param parts the vocabularies that the step is rendered for, one after the other
   * @param table constants, `[entry][column]`
   * @param call appends the call, given the labels of subroutine and table
   * @returns the state after all iterations
   */
  protected apply<V, W>(
    ops: StatefulOps<V, W>,
    parts: readonly StatefulOps<unknown, unknown>[],
    step: Step,
    table: ConstantTable,
    state: readonly V[],
    call: (entry: Label, table: Label) => void,
  ): V[] {
    const rendered = this.#steps.get(step) ?? this.#declare(parts, step, table, state.length)
    const label = this.routine.label("table")
    rendered.calls.push({ table, label })
    ops.storeState(state, step.linearFrom)
    call(rendered.entry, label)
    return ops.loadState(state.length, step.linearFrom)
  }

  #declare(
    parts: readonly StatefulOps<unknown, unknown>[],
    step: Step,
    table: ConstantTable,
    elements: number,
  ): RenderedStep {
    const constants = table[0]!.map((_, column) => ({ column, table }))
    const rendered: RenderedStep = {
      entry: this.routine.label(step.name ?? "step"),
      render: () => {
        for (const ops of parts)
          ops.storeState(step.apply(ops, ops.loadState(elements, step.linearFrom), constants), step.linearFrom)
      },
      columns: new TableColumns(),
      calls: [],
    }
    this.#steps.set(step, rendered)
    return rendered
  }

  /** Renders the subroutines of all repeated steps and their tables. To be called once, after the entry points. */
  finish(): void {
    for (const [{ name = "step" }, rendered] of this.#steps) {
      const { entry, render, columns, calls } = rendered
      this.#current = rendered
      this.routine.bind(entry)
      this.subroutine(name, entry, render, () => columns.size)
      for (const { table, label } of calls) this.routine.data(label, this.tableWords(columns.wordsOf(table)))
    }
    this.#current = undefined
  }

  /**
   * @param name identifies the derivation among those of all vocabularies
   * @param derive computes the word, modulo 2^64, from the constant
   * @returns the index of the derived word within the current table entry
   */
  protected columnOf(constant: TableEntry, name: string, derive: (c: bigint) => bigint): number {
    return this.#current!.columns.indexOf(constant, name, derive)
  }
}
