/**
 * Straight-line code over virtual registers. Each virtual register is written once. An instruction that accumulates names
 * its previous value separately (`onto`); the allocator copies that register if it is read again later.
 */
import { formOf, type Operand, type Register, VIRTUAL } from "../assembler/assembler.ts"
import type { Form } from "../assembler/table.ts"

export interface Instruction {
  readonly form: Form
  readonly operands: readonly Operand[]
  /** The previous value of the operand that is both read and written. */
  readonly onto?: Register
  /** Whether the instruction loads a constant, which can be reloaded at any time. */
  readonly isConstant?: boolean
}

/** Instructions that the scheduler keeps together because one reads the flags that another writes. */
export interface Bundle {
  readonly instructions: readonly Instruction[]
  /** The place in memory that is read or written. Absent for constants. */
  readonly place?: { readonly key: string; readonly isWritten: boolean }
}

export const isVirtual = (operand: Operand): operand is Register =>
  typeof operand === "object" && "file" in operand && operand.n >= VIRTUAL

export const isRegister = (operand: Operand): operand is Register => typeof operand === "object" && "file" in operand

/** Calls `visit` for each register that the instruction reads. */
export function forEachRead({ form, operands, onto }: Instruction, visit: (register: Register) => void): void {
  form.operands.forEach((pattern, k) => {
    const operand = operands[k]!
    if (pattern.kind !== "register" || !isRegister(operand)) return
    if (!pattern.write) visit(operand)
    else if (pattern.read) visit(onto ?? operand)
  })
}

/** Calls `visit` for each register that the instruction writes. */
export function forEachWrite({ form, operands }: Instruction, visit: (register: Register) => void): void {
  form.operands.forEach((pattern, k) => {
    if (pattern.kind === "register" && pattern.write) visit(operands[k] as Register)
  })
}

export class Block {
  readonly bundles: Bundle[] = []

  /** Appends a bundle. @throws Error if it reads flags that it has not written */
  add(bundle: Bundle): void {
    let hasFlags = false
    for (const { form } of bundle.instructions) {
      if (form.flags.read && !hasFlags) throw new Error(`${form.syntax}: reads flags that the bundle has not written`)
      hasFlags ||= form.flags.write
    }
    this.bundles.push(bundle)
  }
}

export const instruction = (syntax: string, ...operands: Operand[]): Instruction => ({ form: formOf(syntax), operands })

/** Returns an instruction that accumulates onto a register. @param operands the result first */
export const instructionOnto = (onto: Register, syntax: string, ...operands: Operand[]): Instruction => ({
  form: formOf(syntax),
  operands,
  onto,
})
