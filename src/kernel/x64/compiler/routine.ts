/**
 * Builds a routine: blocks of instructions over virtual registers, separated by labels, jumps and instructions over
 * hardware registers. The result is position-independent code.
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

/** Totals over all compiled blocks, for tests and reports. */
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

  /** @param observer receives labels and instructions in address order */
  constructor(options: RoutineOptions, observer?: AssemblyObserver) {
    this.#assembler = new Assembler(observer)
    this.#options = options
  }

  /** @returns a new virtual register, valid until the current block ends */
  register(cls: RegisterClass): VirtualRegister {
    return { kind: "virtual", class: cls, id: this.#registers++ }
  }

  /** Appends an instruction to the current block; the scheduler may move it. */
  emit(mnemonic: string, ...operands: VirtualOperand[]): void {
    this.#append(mnemonic, operands)
  }

  /** Like `emit`, for an instruction that writes only the lanes set in a mask register (AVX-512). */
  emitMasked(mnemonic: string, mask: Register, ...operands: VirtualOperand[]): void {
    this.#append(mnemonic, operands, { mask })
  }

  /** @throws Error with mnemonic and operands if the table has no matching form */
  #append(mnemonic: string, operands: readonly VirtualOperand[], options?: EvexOptions): void {
    const form = select(instructions.get(mnemonic) ?? [], operands)
    if (!form) throw new Error(`no instruction ${mnemonic} ${operands.map(format).join(", ")}`)
    this.#block.push(options ? { form, operands, options } : { form, operands })
  }

  /** Whether the following blocks run often. Only hot blocks are scheduled; others keep their order. */
  set hot(hot: boolean) {
    this.#endBlock()
    this.#isHot = hot
  }

  /** Ends the current block, then appends an instruction over hardware registers that the scheduler does not move. */
  control(mnemonic: string, ...operands: Operand[]): void {
    this.#endBlock()
    this.#assembler.emit(mnemonic, operands)
  }

  /** @returns a new label with a unique name */
  label(name: string): Label {
    return label(`${name}.${this.#labels++}`)
  }

  /** Ends the current block and places the label after it. */
  bind(label: Label): void {
    this.#endBlock()
    this.#assembler.bind(label)
  }

  /** @returns the label of 64-bit words stored after the code */
  constant(words: readonly bigint[]): Label {
    return this.#assembler.constant(words)
  }

  /** Stores 64-bit words after the code, at an existing label. */
  data(label: Label, words: readonly bigint[]): void {
    this.#assembler.data(label, words)
  }

  /** Identity of the current block. */
  get block(): object {
    return this.#block
  }

  /** The CPU features that the code requires. */
  get needs(): ReadonlySet<Feature> {
    return this.#assembler.needs
  }

  /** @returns the byte offset of a bound label in the code */
  offsetOf(label: Label): number {
    return this.#assembler.offsetOf(label)
  }

  /** Ends the current block. @returns code and constants, to be loaded at a multiple of 64 bytes */
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
      // The passes return the forms and operand types that they receive.
      const [instruction, physical] = [form as Instruction | undefined, operands as readonly Operand[]]
      if (instruction) this.#assembler.emitForm(instruction, physical, options)
      else this.#assembler.emit(mnemonic, physical)
    }
    this.statistics.instructions += code.length
    this.statistics.stores += stores
    this.statistics.reloads += reloads
  }
}
