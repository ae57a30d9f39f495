/**
 * Builds position-independent code: blocks over virtual registers, and between them labels, jumps and other instructions
 * over hardware registers.
 */
import type { PhysicalInstruction, RegisterFile } from "../../compiler/architecture.ts"
import { Recorder, type RoutineOptions } from "../../compiler/recorder.ts"
import { Assembler, formOf } from "../assembler/assembler.ts"
import {
  type Argument,
  type HardwareRegister,
  type Label,
  type Memory,
  type Operand,
  operandOf,
} from "../assembler/operands.ts"
import type { Form } from "../assembler/table.ts"
import { arm64, type Instruction, instruction } from "./architecture.ts"

export class Routine extends Recorder<Instruction, RegisterFile> {
  readonly #assembler = new Assembler()

  constructor(options: RoutineOptions) {
    super(arm64, options)
  }

  /** Appends an instruction to the current block; the scheduler may move it. */
  emit(syntax: string, ...operands: Argument[]): void {
    this.append(instruction(syntax, ...operands))
  }

  /** Appends instructions that stay together in this order. */
  emitAll(instructions: readonly Instruction[]): void {
    for (const one of instructions) this.append(one)
  }

  /** Ends the current block, then appends an instruction that is not moved. */
  control(syntax: string, ...operands: (HardwareRegister | Memory<HardwareRegister> | Label | number)[]): void {
    this.endBlock()
    this.#assembler.emit(formOf(syntax), operands.map(operandOf))
  }

  /** Ends the current block and binds the label to the next instruction. */
  bind(label: Label): void {
    this.endBlock()
    this.#assembler.bind(label)
  }

  data(label: Label, words: readonly bigint[]): void {
    this.#assembler.data(label, words)
  }

  offsetOf = (label: Label): number => this.#assembler.offsetOf(label)
  listing = (from: Label, to?: Label): string[] => this.#assembler.listing(from, to)

  get codeBytes(): number {
    return this.#assembler.length
  }

  finish(): Uint8Array {
    this.endBlock()
    return this.#assembler.finish()
  }

  protected encode({ form, operands }: PhysicalInstruction): void {
    // The passes return the forms and operand types that they receive.
    this.#assembler.emit(form as Form, operands as readonly Operand[])
  }
}
