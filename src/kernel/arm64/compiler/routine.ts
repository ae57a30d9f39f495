/**
 * Code as it is put together: blocks over virtual registers, and between them labels, jumps and other instructions over
 * hardware registers, as one position-independent piece.
 */
import { Assembler, formOf, type Label, type Operand, type Register, VIRTUAL } from "../assembler/assembler.ts"
import type { RegisterFile } from "../assembler/table.ts"
import { type AllocateOptions, allocate } from "./allocate.ts"
import { Block, type Bundle, type Instruction } from "./block.ts"
import { type ScheduleOptions, schedule } from "./schedule.ts"

export interface RoutineOptions extends ScheduleOptions, AllocateOptions {}

/** What became of a block. */
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
  /** Of the last block that ended. */
  statistics: BlockStatistics = { instructions: 0, stores: 0, reloads: 0, copies: 0 }
  /** Whether blocks that end from here on are scheduled: others are left in the order they were written in. */
  isHot = false

  constructor(options: RoutineOptions) {
    this.#options = options
  }

  /** A virtual register, which lives until the block ends. */
  register(file: RegisterFile): Register {
    return { file, n: this.#registers++ }
  }

  /** Appends to the current block; the scheduler may move it. */
  emit(...instructions: Instruction[]): void {
    this.#block.add({ instructions })
  }

  /** The same, of an instruction that reads or writes a place in memory. */
  access(key: string, isWritten: boolean, one: Instruction): void {
    const bundle: Bundle = { instructions: [one], place: { key, isWritten } }
    this.#block.add(bundle)
  }

  /** Ends the current block, then appends an instruction that stays where it is. */
  control(syntax: string, ...operands: Operand[]): void {
    this.endBlock()
    this.#assembler.emit(formOf(syntax), operands)
  }

  label(name: string): Label {
    return { name: `${name}.${this.#labels++}` }
  }

  /** Ends the current block; the label means what follows. */
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
