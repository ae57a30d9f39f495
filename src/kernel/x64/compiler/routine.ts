/**
 * Code as it is put together: blocks over virtual registers, with labels, jumps and instructions over hardware
 * registers between them, assembled as one position-independent piece.
 */
import { Assembler } from "../assembler/assembler.ts"
import {
  type Label,
  label,
  type Memory,
  type Operand,
  type Register,
  type RegisterClass,
  type VirtualOperand,
  type VirtualRegister,
} from "../assembler/operands.ts"
import type { Feature } from "../assembler/table.ts"
import { type AllocateOptions, type Allocation, allocate } from "../../compiler/allocate.ts"
import { Block, type BlockInstruction, type RegisterFile } from "../../compiler/block.ts"
import { interleave, part, storeEarly } from "../../compiler/interleave.ts"
import { type ScheduleOptions, schedule } from "../../compiler/schedule.ts"

export interface RoutineOptions
  extends Omit<ScheduleOptions, "readOnly">,
    Omit<AllocateOptions, "readOnly" | "spillSlot"> {
  readonly readOnly: ReadonlySet<number>
  /** Memory for the n-th value of a register file that finds no register. */
  spillSlot(file: RegisterFile, n: number): Memory
}

/** What became of the blocks, for tests and reports. */
export interface Statistics {
  instructions: number
  stores: number
  reloads: number
}

export class Routine {
  readonly statistics: Statistics = { instructions: 0, stores: 0, reloads: 0 }
  readonly #assembler = new Assembler()
  readonly #options: RoutineOptions
  #block = new Block()
  #labels = 0
  #isHot = false
  #registers = 0

  constructor(options: RoutineOptions) {
    this.#options = options
  }

  /** A virtual register that lives until the block ends. */
  register(cls: RegisterClass): VirtualRegister {
    return { kind: "virtual", class: cls, id: this.#registers++ }
  }

  /** Appends to the current block; the scheduler may move it. */
  emit(mnemonic: string, ...operands: VirtualOperand[]): void {
    this.#block.emit(mnemonic, operands)
  }

  /** Appends an instruction that writes only the lanes set in a mask register (AVX-512). */
  emitMasked(mnemonic: string, mask: Register, ...operands: VirtualOperand[]): void {
    this.#block.emit(mnemonic, operands, { mask })
  }

  /** Whether blocks that end from here on run often: others are left in the order they were written in. */
  set hot(hot: boolean) {
    this.#endBlock()
    this.#isHot = hot
  }

  /** Ends the current block, then appends an instruction that stays where it is. */
  control(mnemonic: string, ...operands: Operand[]): void {
    this.#endBlock()
    this.#assembler.emit(mnemonic, operands)
  }

  label(name: string): Label {
    return label(`${name}.${this.#labels++}`)
  }

  /** Ends the current block; the label means what follows. */
  bind(label: Label): void {
    this.#endBlock()
    this.#assembler.bind(label)
  }

  /** Words beside the code. */
  constant(words: readonly bigint[]): Label {
    return this.#assembler.constant(words)
  }

  /** Words beside the code, at a label given beforehand. */
  data(label: Label, words: readonly bigint[]): void {
    this.#assembler.data(label, words)
  }

  /** The current block, for comparison. */
  get block(): object {
    return this.#block
  }

  get needs(): ReadonlySet<Feature> {
    return this.#assembler.needs
  }

  offsetOf(label: Label): number {
    return this.#assembler.offsetOf(label)
  }

  get codeLength(): number {
    return this.#assembler.length
  }

  finish(): Uint8Array {
    this.#endBlock()
    return this.#assembler.finish()
  }

  #endBlock(): void {
    const { instructions } = this.#block
    if (instructions.length === 0) return
    this.#block = new Block()
    const { code, stores, reloads } = this.#compiled(instructions)
    for (const { mnemonic, row, operands, options } of code) {
      if (row) this.#assembler.emitForm(row, operands, options)
      else this.#assembler.emit(mnemonic, operands, options)
    }
    this.statistics.instructions += code.length
    this.statistics.stores += stores
    this.statistics.reloads += reloads
  }

  #compiled(instructions: readonly BlockInstruction[]): Allocation {
    if (!this.#isHot) return allocate(instructions, this.#options)
    const parted = part(instructions)
    if (!parted) return allocate(schedule(instructions, this.#options), this.#options)
    const vector = allocate(schedule(parted.vector, this.#options), this.#options)
    const integer = allocate(storeEarly(parted.integer, this.#options.readOnly), this.#options)
    return {
      code: interleave(vector.code, integer.code),
      stores: vector.stores + integer.stores,
      reloads: vector.reloads + integer.reloads,
    }
  }
}
