/**
 * Builds position-independent code: blocks over virtual registers, and between them labels, jumps and other instructions
 * over hardware registers.
 */
import { Assembler, formOf, type Label, type Operand, type Register, VIRTUAL } from "../assembler/assembler.ts"
import type { RegisterFile } from "../assembler/table.ts"
import { type AllocateOptions, allocate } from "./allocate.ts"
import { Block, type Bundle, type Instruction } from "./block.ts"
import { type ScheduleOptions, schedule } from "./schedule.ts"

export interface RoutineOptions extends ScheduleOptions, AllocateOptions {}

/** Instruction counts of a compiled block. */
export interface BlockStatistics {
  readonly instructions: number
  readonly stores: number
  readonly reloads: number
  readonly copies: number
}

export class Routine {
  readonly #assembler = new Assembler()
  readonly #options: RoutineOptions
  #block = new Block()
  #registers = VIRTUAL
  #labels = 0
  /** Statistics of the last block that ended. */
  statistics: BlockStatistics = { instructions: 0, stores: 0, reloads: 0, copies: 0 }
  /** Whether blocks that end from now on are scheduled. Other blocks keep the order in which they were emitted. */
  isHot = false

  constructor(options: RoutineOptions) {
    this.#options = options
  }

  /** Returns a new virtual register, which is valid until the block ends. */
  register(file: RegisterFile): Register {
    return { file, n: this.#registers++ }
  }

  /** Appends instructions to the current block as one bundle, which the scheduler may move. */
  emit(...instructions: Instruction[]): void {
    this.#block.add({ instructions })
  }

  /** Appends an instruction that reads or writes the place in memory identified by `key`. */
  access(key: string, isWritten: boolean, one: Instruction): void {
    const bundle: Bundle = { instructions: [one], place: { key, isWritten } }
    this.#block.add(bundle)
  }

  /** Ends the current block, then appends an instruction that is not moved. */
  control(syntax: string, ...operands: Operand[]): void {
    this.endBlock()
    this.#assembler.emit(formOf(syntax), operands)
  }

  label(name: string): Label {
    return { name: `${name}.${this.#labels++}` }
  }

  /** Ends the current block and binds the label to the next instruction. */
  bind(label: Label): void {
    this.endBlock()
    this.#assembler.bind(label)
  }

  data(label: Label, words: readonly bigint[]): void {
    this.#assembler.data(label, words)
  }

  /** The current block, for comparison. */
  get block(): object {
    return this.#block
  }

  offsetOf = (label: Label): number => this.#assembler.offsetOf(label)
  listing = (from: Label, to?: Label): string[] => this.#assembler.listing(from, to)

  get codeLength(): number {
    return this.#assembler.length
  }

  finish(): Uint8Array {
    this.endBlock()
    return this.#assembler.finish()
  }

  endBlock(): void {
    const { bundles } = this.#block
    if (bundles.length === 0) return
    this.#block = new Block()
    const ordered = this.isHot ? schedule(bundles, this.#options) : bundles
    const { code, ...counts } = allocate(
      ordered.flatMap(({ instructions }) => instructions),
      this.#options,
    )
    for (const { form, operands } of code) this.#assembler.emit(form, operands)
    this.statistics = { instructions: code.length, ...counts }
  }
}
