/** Rolled loops on x86-64: the instructions around the blocks of steps. */

import { RolledSteps } from "../../native/rolled-steps.ts"
import type { Constant, ConstantTable, Step } from "../../ops.ts"
import { immediate, type Label, type Memory, memory, rbx, rcx, rdi, relative, rsi } from "../assembler/operands.ts"
import type { Routine } from "../compiler/routine.ts"
import type { LaneSet, MainLaneSet } from "../registers/lane-set.ts"
import type { BatchOps } from "./batch-ops.ts"

/** Address of the current entry of the constant table. */
export const ENTRY_POINTER = rsi
/** Entries left, including the current one. */
const ENTRIES_LEFT = rcx
/** Address of the state that a step reads and writes. */
export const STATE_POINTER = rbx

export class Steps extends RolledSteps<Routine> {
  readonly #main: MainLaneSet
  readonly #stateOffset: number

  /**
   * @param main the widest lane set, which determines the layout of constants
   * @param stateOffset bytes from rdi to the states of all lane sets
   */
  constructor(main: MainLaneSet, stateOffset: number) {
    super(main.routine)
    this.#main = main
    this.#stateOffset = stateOffset
  }

  /** Appends the first instructions of an entry point. */
  begin(): void {
    this.#main.begin()
    this.routine.control("lea", STATE_POINTER, memory(rdi, this.#stateOffset))
  }

  /** Appends the last instructions of an entry point. */
  end(): void {
    this.#main.end()
  }

  /**
   * Appends calls of the step's subroutine.
   * @param table constants, `[entry][column]`
   * @returns the state after all iterations
   */
  repeat<V, W>(ops: BatchOps<V, W>, step: Step, table: ConstantTable, state: readonly V[]): V[] {
    const { routine } = this
    const { parts, runs, bytes } = ops.planOf(step)
    return this.apply(ops, parts, step, table, state, (entry, label) => {
      for (let run = 0; run < runs; run++) {
        if (run > 0) routine.control("add", STATE_POINTER, immediate(bytes))
        routine.control("lea", ENTRY_POINTER, relative(label))
        routine.control("mov", ENTRIES_LEFT, immediate(table.length))
        routine.control("call", entry)
      }
      if (runs > 1) routine.control("sub", STATE_POINTER, immediate((runs - 1) * bytes))
    })
  }

  protected subroutine(_name: string, entry: Label, render: () => void, entryWords: () => number): void {
    const { routine } = this
    render()
    routine.control("add", ENTRY_POINTER, immediate(entryWords() * this.#main.repeatedBytes))
    routine.control("sub", ENTRIES_LEFT, immediate(1))
    routine.control("jnz", entry)
    routine.control("ret")
  }

  protected tableWords(words: readonly bigint[]): bigint[] {
    return this.#main.repeatedWords(words)
  }

  /**
   * @param constant a number, or a constant of the current table entry
   * @param name identifies the derivation among those of all vocabularies
   * @param derive computes the word, modulo 2^64, from the constant
   * @returns memory from which the lane set reads the derived word in every lane
   */
  constant(laneSet: LaneSet, constant: Constant, name: string, derive: (c: bigint) => bigint): Memory {
    if (typeof constant === "bigint") return laneSet.constant(BigInt.asUintN(64, derive(constant)))
    return laneSet.repeated(memory(ENTRY_POINTER, this.columnOf(constant, name, derive) * this.#main.repeatedBytes))
  }
}
