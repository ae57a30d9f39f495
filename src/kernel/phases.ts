/** A program as the list of loops that it consists of, so that a renderer can write every step once. */
import type { ConstantTable, Ops, Step } from "./ops.ts"

/** A loop: a step, applied once per entry of the table. */
export interface Phase {
  readonly step: Step
  readonly table: ConstantTable
}

/** A state of which nothing but the phase that made it is known. */
type Nothing = undefined

/**
 * Returns the phases of a program that does nothing but apply `Ops.repeat` to its whole state.
 * @param length number of elements of the state
 * @throws TypeError if the program uses another operation
 */
export function phasesOf(program: <V, W>(ops: Ops<V, W>, state: readonly V[]) => unknown, length: number): Phase[] {
  const phases: Phase[] = []
  const refuse = (): never => {
    throw new TypeError("the program has operations outside its loops")
  }
  const recorder: Ops<Nothing, Nothing> = {
    productsTakeConstants: false,
    square: refuse,
    multiply: refuse,
    product: refuse,
    zero: refuse,
    widen: refuse,
    add: refuse,
    double: refuse,
    addConstant: refuse,
    multiplyAdd: refuse,
    reduce: refuse,
    reduceLinear: refuse,
    settle: refuse,
    repeat(step, table, state) {
      phases.push({ step, table })
      return [...state]
    },
  }
  program(recorder, new Array<Nothing>(length).fill(undefined))
  return phases
}

/**
 * Phases of which every other one applies the same step, the main one. Code that contains each step once runs the main
 * step to the end of a group, then the step between that group and the next.
 */
export interface RolledPhases {
  /** The main step, with the entries of all its phases in order. */
  readonly main: Phase
  /** The other steps, each with the one table that it is applied with. */
  readonly others: readonly Phase[]
  readonly groups: readonly Group[]
}

export interface Group {
  /** Entries of the main step's table that the group applies. */
  readonly entries: number
  /** Index of the other step that follows; `others.length` after the last group. */
  readonly next: number
  /** Entries that the other step applies; 0 after the last group. */
  readonly nextEntries: number
}

/** @throws TypeError if the phases do not alternate, or if another step has several tables */
export function rollPhases(phases: readonly Phase[]): RolledPhases {
  const mains = phases.filter((_, i) => i % 2 === 0)
  const between = phases.filter((_, i) => i % 2 === 1)
  const [{ step } = { step: undefined }] = mains
  const others = between.filter((phase, i) => between.findIndex(one => one.step === phase.step) === i)
  const alternates = step !== undefined && mains.length === between.length + 1 && mains.every(one => one.step === step)
  const tableOf = (phase: Phase) => others.find(one => one.step === phase.step)!.table
  if (!alternates || between.some(phase => phase.step === step || phase.table !== tableOf(phase)))
    throw new TypeError("the phases do not alternate between one step and others")
  const groups = mains.map(({ table }, i) => ({
    entries: table.length,
    next: i < between.length ? others.findIndex(one => one.step === between[i]!.step) : others.length,
    nextEntries: between[i]?.table.length ?? 0,
  }))
  return { main: { step, table: mains.flatMap(({ table }) => table) }, others, groups }
}
