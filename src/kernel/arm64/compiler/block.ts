/**
 * Straight-line code over virtual registers. A virtual register is written once: an instruction that adds to a register
 * names the register that it adds to apart (`onto`), and the allocator copies that if somebody else still reads it.
 */
import { formOf, type Operand, type Register, VIRTUAL } from "../assembler/assembler.ts"
import type { Form } from "../assembler/table.ts"

export interface Instruction {
  readonly form: Form
  readonly operands: readonly Operand[]
  /** What an operand that is read and written holds before. */
  readonly onto?: Register
  /** The word that a load brings is the same whenever it is loaded again. */
  readonly isConstant?: boolean
}

/** Instructions that the scheduler keeps together, as the flags pass from one to the next. */
export interface Bundle {
  readonly instructions: readonly Instruction[]
  /** A place in memory that is read or written: the state's and the context's, not that of constants. */
  readonly place?: { readonly key: string; readonly isWritten: boolean }
}

export const isVirtual = (operand: Operand): operand is Register =>
  typeof operand === "object" && "file" in operand && operand.n >= VIRTUAL

export const isRegister = (operand: Operand): operand is Register => typeof operand === "object" && "file" in operand

/** Calls back for each register read, then for each written. */
export function forEachRead({ form, operands, onto }: Instruction, visit: (register: Register) => void): void {
  form.operands.forEach((pattern, k) => {
    const operand = operands[k]!
    if (pattern.kind !== "register" || !isRegister(operand)) return
    if (!pattern.write) visit(operand)
    else if (pattern.read) visit(onto ?? operand)
  })
}

export function forEachWrite({ form, operands }: Instruction, visit: (register: Register) => void): void {
  form.operands.forEach((pattern, k) => {
    if (pattern.kind === "register" && pattern.write) visit(operands[k] as Register)
  })
}

export class Block {
  readonly bundles: Bundle[] = []

  /** @throws Error if flags are read that the bundle has not written */
  add(bundle: Bundle): void {
    let hasFlags = false
    for (const { form } of bundle.instructions) {
      if (form.flags.read && !hasFlags) throw new Error(`${form.syntax}: nothing has written the flags`)
      hasFlags ||= form.flags.write
    }
    this.bundles.push(bundle)
  }
}

export const instruction = (syntax: string, ...operands: Operand[]): Instruction => ({ form: formOf(syntax), operands })

/** Of an instruction that adds to a register. @param operands the result first */
export const instructionOnto = (onto: Register, syntax: string, ...operands: Operand[]): Instruction => ({
  form: formOf(syntax),
  operands,
  onto,
})
