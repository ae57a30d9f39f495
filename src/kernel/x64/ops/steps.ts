/** Rolled loops: a step is rendered once, as a subroutine that applies it to a state in memory per entry of a table. */
import { TableColumns } from "../../compiler/table-columns.ts"
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import { immediate, type Label, type Memory, memory, rbx, rcx, rdi, relative, rsi } from "../assembler/operands.ts"
import type { LaneSet } from "../registers/lane-set.ts"
import type { Vectors } from "../registers/vectors.ts"
import type { BatchOps } from "./batch-ops.ts"

/** Address of the current entry of the constant table. */
export const ENTRY_POINTER = rsi
/** Entries left, including the current one. */
const ENTRIES_LEFT = rcx
/** Address of the state that a step reads and writes. */
export const STATE_POINTER = rbx

interface RenderedStep {
  readonly entry: Label
  readonly render: () => void
  readonly columns: TableColumns
  readonly calls: { table: ConstantTable; label: Label }[]
}

export class Steps {
  readonly #v: Vectors
  readonly #stateOffset: number
  readonly #steps = new Map<Step, RenderedStep>()
  /** The step being rendered. */
  #current: RenderedStep | undefined

  /**
   * @param vectors the widest lane set, which determines the layout of constants
   * @param stateOffset bytes from rdi to the states of all lane sets
   */
  constructor(vectors: Vectors, stateOffset: number) {
    this.#v = vectors
    this.#stateOffset = stateOffset
  }

  /** Appends the first instructions of an entry point. */
  begin(): void {
    this.#v.begin()
    this.#v.routine.control("lea", STATE_POINTER, memory(rdi, this.#stateOffset))
  }

  /**
   * Appends calls of the step's subroutine.
   * @param table constants, `[entry][column]`
   * @returns the state after all iterations
   */
  repeat<V, W>(ops: BatchOps<V, W>, step: Step, table: ConstantTable, state: readonly V[]): V[] {
    const { routine } = this.#v
    const { parts, runs, bytes } = ops.planOf(step)
    const rendered = this.#steps.get(step) ?? this.#declare(parts, step, table, state.length)
    const label = routine.label("table")
    rendered.calls.push({ table, label })
    ops.storeState(state, step.linearFrom)
    for (let run = 0; run < runs; run++) {
      if (run > 0) routine.control("add", STATE_POINTER, immediate(bytes))
      routine.control("lea", ENTRY_POINTER, relative(label))
      routine.control("mov", ENTRIES_LEFT, immediate(table.length))
      routine.control("call", rendered.entry)
    }
    if (runs > 1) routine.control("sub", STATE_POINTER, immediate((runs - 1) * bytes))
    return ops.loadState(state.length, step.linearFrom)
  }

  #declare(
    parts: readonly BatchOps<unknown, unknown>[],
    step: Step,
    table: ConstantTable,
    elements: number,
  ): RenderedStep {
    const constants = table[0]!.map((_, column) => ({ column, table }))
    const rendered: RenderedStep = {
      entry: this.#v.routine.label(step.name ?? "step"),
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
    const { routine, repeatedBytes } = this.#v
    for (const rendered of this.#steps.values()) {
      const { entry, columns, calls } = rendered
      this.#current = rendered
      routine.bind(entry)
      rendered.render()
      routine.control("add", ENTRY_POINTER, immediate(columns.size * repeatedBytes))
      routine.control("sub", ENTRIES_LEFT, immediate(1))
      routine.control("jnz", entry)
      routine.control("ret")
      for (const { table, label } of calls) routine.data(label, this.#v.repeatedWords(columns.wordsOf(table)))
    }
    this.#current = undefined
  }

  /**
   * @param constant a number, or a constant of the current table entry
   * @param name identifies the derivation among those of all vocabularies
   * @param derive computes the word, modulo 2^64, from the constant
   * @returns memory from which the lane set reads the derived word in every lane
   */
  constant(laneSet: LaneSet, constant: Constant, name: string, derive: (c: bigint) => bigint): Memory {
    if (typeof constant === "bigint") return laneSet.constant(BigInt.asUintN(64, derive(constant)))
    const index = this.#current!.columns.indexOf(constant, name, derive)
    return laneSet.repeated(memory(ENTRY_POINTER, index * this.#v.repeatedBytes))
  }
}
