/**
 * Straight-line code over virtual registers, recorded in the order it was written, before it is scheduled and its
 * registers are found. Values live across blocks in memory only.
 *
 * Memory is told apart by base register and displacement: two operands with different ones never overlap. Operands
 * relative to a label, and those through a register that the caller names read-only, are never written.
 */
import { type EvexOptions, select } from "../x64/assembler/encode.ts"
import { instructions } from "../x64/assembler/instructions.ts"
import {
  format,
  type Memory,
  type Register,
  type RegisterClass,
  type VirtualOperand,
  type VirtualRegister,
} from "../x64/assembler/operands.ts"
import type { Instruction } from "../x64/assembler/table.ts"

export interface BlockInstruction {
  readonly row: Instruction
  readonly operands: readonly VirtualOperand[]
  readonly options?: EvexOptions
}

export type RegisterFile = "integer" | "vector" | "mask"

export const fileOf = (cls: RegisterClass): RegisterFile =>
  cls === "r32" || cls === "r64" ? "integer" : cls === "k" ? "mask" : "vector"

export class Block {
  readonly instructions: BlockInstruction[] = []
  /** @throws Error naming mnemonic and operands, where the table has no such form */
  emit(mnemonic: string, operands: readonly VirtualOperand[], options?: EvexOptions): void {
    const row = select(instructions.get(mnemonic) ?? [], operands)
    if (!row) throw new Error(`no instruction ${mnemonic} ${operands.map(format).join(", ")}`)
    this.instructions.push(options ? { row, operands, options } : { row, operands })
  }
}

/** What a memory operand is told apart by, a safe integer; undefined: nothing writes there. */
export function memoryKey(
  { base, displacement }: Memory<Register | VirtualRegister>,
  readOnly: ReadonlySet<number>,
): number | undefined {
  if (!base || (base.kind === "register" && readOnly.has(base.n))) return undefined
  return (base.kind === "register" ? base.n : HARDWARE_REGISTERS + base.id) * 2 ** 32 + displacement
}

const HARDWARE_REGISTERS = 16
