/**
 * What vector kernels ask of a vocabulary beyond `ops.ts`, and its rolled loops: a step is rendered once, as a subroutine
 * that runs over a table of constants and works on a state in memory.
 */
import type { Constant, ConstantRows, Ops, Step } from "../ops.ts"
import { immediate, type Label, type Memory, memory, r64, rdi, relative } from "./assembler/operands.ts"
import type { Vector, Vectors } from "./vectors.ts"

/** Elements go in and out as words, one a lane, and live in memory between blocks. */
export interface VectorOps<V, W> extends Ops<V, W> {
  /** Vectors of nonces that are worked on together; each element is that many vectors wide. */
  readonly streams: number
  /** @param words one vector a stream */
  fromWords(words: readonly Vector[]): V
  /** Canonical. */
  toWords(x: V): Vector[]
  /** Stores elements, two vectors an element and stream. */
  keep(place: Memory, elements: readonly V[]): void
  /** Elements stored by `keep`. */
  kept(place: Memory, elements: number): V[]
  /** Bytes of a state, in `STATE_POINTER`'s memory. */
  readonly stateBytes: number
  /** The state through which steps are entered and left; elements from `linearFrom` on are linear. */
  loadState(elements: number, linearFrom?: number): V[]
  storeState(state: readonly V[], linearFrom?: number): void
}

/** Registers around a step: the current row of constants, the rows left, and the state it works on. */
export const ROW_POINTER = r64(6)
const ROWS_LEFT = r64(1)
export const STATE_POINTER = r64(2)

interface RenderedStep {
  readonly entry: Label
  readonly render: () => void
  /** What each row of the table holds, in order. */
  readonly columns: Map<string, { index: number; wordOf: (row: readonly bigint[]) => bigint }>
  readonly calls: { rows: ConstantRows; table: Label }[]
}

export class Steps {
  readonly #v: Vectors
  readonly #steps = new Map<Step, RenderedStep>()
  /** The step being rendered. */
  #current: RenderedStep | undefined

  /** @param stateOffset bytes from rdi to the states of all streams */
  constructor(
    vectors: Vectors,
    private readonly stateOffset: number,
  ) {
    this.#v = vectors
  }

  /** What a routine does first. */
  begin(): void {
    this.#v.begin()
    this.#v.routine.control("lea", STATE_POINTER, memory(rdi, this.stateOffset))
  }

  /** @param one renders the step where it is rendered for one stream, and run for each in turn */
  repeat<V, W, V1 = V, W1 = W>(
    ops: VectorOps<V, W>,
    step: Step,
    rows: ConstantRows,
    state: readonly V[],
    one?: VectorOps<V1, W1>,
  ): V[] {
    const { routine } = this.#v
    const rendered =
      this.#steps.get(step) ??
      (one ? this.#announce(one, step, rows, state.length) : this.#announce(ops, step, rows, state.length))
    const table = routine.label("table")
    rendered.calls.push({ rows, table })
    ops.storeState(state, step.linearFrom)
    const runs = one ? ops.streams : 1
    for (let run = 0; run < runs; run++) {
      if (one && run > 0) routine.control("add", STATE_POINTER, immediate(one.stateBytes))
      routine.control("lea", ROW_POINTER, relative(table))
      routine.control("mov", ROWS_LEFT, immediate(rows.length))
      routine.control("call", rendered.entry)
    }
    if (one) routine.control("sub", STATE_POINTER, immediate((runs - 1) * one.stateBytes))
    return ops.loadState(state.length, step.linearFrom)
  }

  #announce<V, W>(ops: VectorOps<V, W>, step: Step, rows: ConstantRows, elements: number): RenderedStep {
    const constants = rows[0]!.map((_, column) => ({ column, rows }))
    const rendered: RenderedStep = {
      entry: this.#v.routine.label("step"),
      render: () => {
        const state = step.apply(ops, ops.loadState(elements, step.linearFrom), constants)
        ops.storeState(state, step.linearFrom)
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

  /** A word derived from a constant, known now or standing in the current row; `name` tells derivations apart. */
  constant(constant: Constant, name: string, derive: (c: bigint) => bigint): Memory {
    if (typeof constant === "bigint") return this.#v.constant(BigInt.asUintN(64, derive(constant)))
    const { columns } = this.#current!
    const key = `${constant.column} ${name}`
    let column = columns.get(key)
    if (!column) {
      column = { index: columns.size, wordOf: row => BigInt.asUintN(64, derive(row[constant.column]!)) }
      columns.set(key, column)
    }
    return this.#v.repeated(memory(ROW_POINTER, column.index * this.#v.repeatedBytes))
  }
}
