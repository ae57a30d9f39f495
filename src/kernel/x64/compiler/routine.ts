/**
 * Code as it is put together: blocks over virtual registers, with labels, jumps and instructions over hardware
 * registers between them, assembled as one position-independent piece.
 */
import { type CompileOptions, compileBlock } from "../../compiler/compile-block.ts"
import { Assembler, type AssemblyObserver } from "../assembler/assembler.ts"
import { type EvexOptions, select } from "../assembler/encode.ts"
import { instructions } from "../assembler/instructions.ts"
import {
  format,
  type Label,
  label,
  type Operand,
  type Register,
  type RegisterClass,
  type VirtualOperand,
  type VirtualRegister,
} from "../assembler/operands.ts"
import type { Feature, Instruction } from "../assembler/table.ts"
import { type X64Instruction, x64 } from "./architecture.ts"

export type RoutineOptions = Omit<CompileOptions, "architecture">

/** What became of the blocks, for tests and reports. */
export interface Statistics {
  instructions: number
  stores: number
  reloads: number
}

export class Routine {
  readonly statistics: Statistics = { instructions: 0, stores: 0, reloads: 0 }
  readonly #assembler: Assembler
  readonly #options: RoutineOptions
  #block: X64Instruction[] = []
  #labels = 0
  #isHot = false
  #registers = 0

  /** @param observer receives the code in the order of its addresses */
  constructor(options: RoutineOptions, observer?: AssemblyObserver) {
    this.#assembler = new Assembler(observer)
    this.#options = options
  }

  /** A virtual register that lives until the block ends. */
  register(cls: RegisterClass): VirtualRegister {
    return { kind: "virtual", class: cls, id: this.#registers++ }
  }

  /** Appends to the current block; the scheduler may move it. */
  emit(mnemonic: string, ...operands: VirtualOperand[]): void {
    this.#append(mnemonic, operands)
  }

  /** Appends an instruction that writes only the lanes set in a mask register (AVX-512). */
  emitMasked(mnemonic: string, mask: Register, ...operands: VirtualOperand[]): void {
    this.#append(mnemonic, operands, { mask })
  }

  /** @throws Error naming mnemonic and operands if the table has no such form */
  #append(mnemonic: string, operands: readonly VirtualOperand[], options?: EvexOptions): void {
    const form = select(instructions.get(mnemonic) ?? [], operands)
    if (!form) throw new Error(`no instruction ${mnemonic} ${operands.map(format).join(", ")}`)
    this.#block.push(options ? { form, operands, options } : { form, operands })
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

  finish(): Uint8Array {
    this.#endBlock()
    return this.#assembler.finish()
  }

  #endBlock(): void {
    const block = this.#block
    if (block.length === 0) return
    this.#block = []
    const { code, stores, reloads } = compileBlock(block, this.#isHot, { ...this.#options, architecture: x64 })
    for (const { mnemonic, form, operands, options } of code) {
      // The passes keep the types of what they are given.
      const [instruction, physical] = [form as Instruction | undefined, operands as readonly Operand[]]
      if (instruction) this.#assembler.emitForm(instruction, physical, options)
      else this.#assembler.emit(mnemonic, physical)
    }
    this.statistics.instructions += code.length
    this.statistics.stores += stores
    this.statistics.reloads += reloads
  }
}
