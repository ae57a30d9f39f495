/**
 * Builds a routine: blocks of instructions over virtual registers, separated by labels, jumps and instructions over
 * hardware registers. The result is position-independent code.
 */
import type { PhysicalInstruction } from "../../compiler/architecture.ts"
import { Recorder, type RoutineOptions } from "../../compiler/recorder.ts"
import { Assembler, type AssemblyObserver } from "../assembler/assembler.ts"
import { type EvexOptions, select } from "../assembler/encode.ts"
import { instructions } from "../assembler/instructions.ts"
import {
  format,
  type Label,
  type Operand,
  type Register,
  type RegisterClass,
  type VirtualOperand,
} from "../assembler/operands.ts"
import type { Feature, Instruction } from "../assembler/table.ts"
import { type X64Instruction, x64 } from "./architecture.ts"

export class Routine extends Recorder<X64Instruction, RegisterClass> {
  readonly #assembler: Assembler

  /** @param observer receives labels and instructions in address order */
  constructor(options: RoutineOptions, observer?: AssemblyObserver) {
    super(x64, options)
    this.#assembler = new Assembler(observer)
  }

  /** Appends an instruction to the current block; the scheduler may move it. */
  emit(mnemonic: string, ...operands: VirtualOperand[]): void {
    this.#select(mnemonic, operands)
  }

  /** Like `emit`, for an instruction that writes only the lanes set in a mask register (AVX-512). */
  emitMasked(mnemonic: string, mask: Register, ...operands: VirtualOperand[]): void {
    this.#select(mnemonic, operands, { mask })
  }

  /** @throws Error with mnemonic and operands if the table has no matching form */
  #select(mnemonic: string, operands: readonly VirtualOperand[], options?: EvexOptions): void {
    const form = select(instructions.get(mnemonic) ?? [], operands)
    if (!form) throw new Error(`no instruction ${mnemonic} ${operands.map(format).join(", ")}`)
    this.append(options ? { form, operands, options } : { form, operands })
  }

  /** Ends the current block, then appends an instruction over hardware registers that the scheduler does not move. */
  control(mnemonic: string, ...operands: Operand[]): void {
    this.endBlock()
    this.#assembler.emit(mnemonic, operands)
  }

  /** Ends the current block and places the label after it. */
  bind(label: Label): void {
    this.endBlock()
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
    this.endBlock()
    return this.#assembler.finish()
  }

  protected encode({ mnemonic, form, operands, options }: PhysicalInstruction): void {
    // The passes return the forms and operand types that they receive.
    const [instruction, physical] = [form as Instruction | undefined, operands as readonly Operand[]]
    if (instruction) this.#assembler.emitForm(instruction, physical, options)
    else this.#assembler.emit(mnemonic, physical)
  }
}
