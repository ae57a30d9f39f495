/** Rolled loops: a step is rendered once, as a subroutine that runs over a table of constants, on a state in memory. */
import type { Constant, ConstantRows, Step } from "../../ops.ts"
import { immediate, type Label, type Memory, memory, rbx, rcx, rdi, relative, rsi } from "../assembler/operands.ts"
import type { LaneSet } from "../registers/lane-set.ts"
import type { Vectors } from "../registers/vectors.ts"
import type { BatchOps } from "./batch-ops.ts"

/** Registers around a step: the current row of constants, the rows left, and the state it works on. */
export const ROW_POINTER = rsi
const ROWS_LEFT = rcx
export const STATE_POINTER = rbx

interface RenderedStep {
  readonly entry: Label
  readonly render: () => void
  /** What each row of the table holds, in order. */
  readonly columns: Map<string, { index: number; wordOf: (row: readonly bigint[]) => bigint }>
  readonly calls: { rows: ConstantRows; table: Label }[]
}

export class Steps {
  readonly #v: Vectors
  readonly #stateOffset: number
  readonly #steps = new Map<Step, RenderedStep>()
  /** The step being rendered. */
  #current: RenderedStep | undefined

  /**
   * @param vectors of the widest unit, which says how constants lie in memory
   * @param stateOffset bytes from rdi to the states of all units
   */
  constructor(vectors: Vectors, stateOffset: number) {
    this.#v = vectors
    this.#stateOffset = stateOffset
  }

  /** What a routine does first. */
  begin(): void {
    this.#v.begin()
    this.#v.routine.control("lea", STATE_POINTER, memory(rdi, this.#stateOffset))
  }

  repeat<V, W>(ops: BatchOps<V, W>, step: Step, rows: ConstantRows, state: readonly V[]): V[] {
    const { routine } = this.#v
    const { parts, runs, bytes } = ops.turns(step)
    const rendered = this.#steps.get(step) ?? this.#announce(parts, step, rows, state.length)
    const table = routine.label("table")
    rendered.calls.push({ rows, table })
    ops.storeState(state, step.linearFrom)
    for (let run = 0; run < runs; run++) {
      if (run > 0) routine.control("add", STATE_POINTER, immediate(bytes))
      routine.control("lea", ROW_POINTER, relative(table))
      routine.control("mov", ROWS_LEFT, immediate(rows.length))
      routine.control("call", rendered.entry)
    }
    if (runs > 1) routine.control("sub", STATE_POINTER, immediate((runs - 1) * bytes))
    return ops.loadState(state.length, step.linearFrom)
  }

  #announce(
    parts: readonly BatchOps<unknown, unknown>[],
    step: Step,
    rows: ConstantRows,
    elements: number,
  ): RenderedStep {
    const constants = rows[0]!.map((_, column) => ({ column, rows }))
    const rendered: RenderedStep = {
      entry: this.#v.routine.label(step.name ?? "step"),
      render: () => {
        for (const ops of parts)
          ops.storeState(step.apply(ops, ops.loadState(elements, step.linearFrom), constants), step.linearFrom)
      },
      columns: new Map(),
      calls: [],
    }
    this.#steps.set(step, rendered)
    return rendered
  }

  /** Renders, after everything else, the steps that were repeated, and their tables. */
  finish(): void {
    const { routine, repeatedBytes } = this.#v
    for (const rendered of this.#steps.values()) {
      const { entry, columns, calls } = rendered
      this.#current = rendered
      routine.bind(entry)
      rendered.render()
      routine.control("add", ROW_POINTER, immediate(columns.size * repeatedBytes))
      routine.control("sub", ROWS_LEFT, immediate(1))
      routine.control("jnz", entry)
      routine.control("ret")
      for (const { rows, table } of calls) {
        const words = rows.flatMap(row => [...columns.values()].map(({ wordOf }) => wordOf(row)))
        routine.data(table, this.#v.repeatedWords(words))
      }
    }
    this.#current = undefined
  }

  /**
   * A word derived from a constant, known now or standing in the current row, for a unit to read.
   * @param name tells derivations apart, those of all vocabularies
   */
  constant(laneSet: LaneSet, constant: Constant, name: string, derive: (c: bigint) => bigint): Memory {
    if (typeof constant === "bigint") return laneSet.constant(BigInt.asUintN(64, derive(constant)))
    const { columns } = this.#current!
    const key = `${constant.column} ${name}`
    let column = columns.get(key)
    if (!column) {
      column = { index: columns.size, wordOf: row => BigInt.asUintN(64, derive(row[constant.column]!)) }
      columns.set(key, column)
    }
    return laneSet.repeated(memory(ROW_POINTER, column.index * this.#v.repeatedBytes))
  }
}
