/** The properties of arm64 that the compiler's passes use. */
import type {
  Access,
  Architecture,
  BlockInstruction,
  ImplicitAccess,
  PhysicalInstruction,
  RegisterFile,
} from "../../compiler/architecture.ts"
import type { Memory, Operand, Register, VirtualOperand } from "../../compiler/operands.ts"
import { formOf } from "../assembler/assembler.ts"
import { type Argument, operandOf, type Value } from "../assembler/operands.ts"
import type { Form } from "../assembler/table.ts"

/** An instruction over virtual registers. */
export interface Instruction extends BlockInstruction {
  readonly form: Form
}

/** @throws Error if the table lacks the syntax */
export const instruction = (syntax: string, ...operands: Argument[]): Instruction => ({
  form: formOf(syntax),
  operands: operands.map(operandOf),
})

/** Returns the instructions that accumulate onto a register, which keeps its value. @param operands the result first */
export const instructionsOnto = (sum: Value, syntax: string, result: Value, ...operands: Argument[]): Instruction[] => [
  copy(result, sum),
  instruction(syntax, result, ...operands),
]

const copy = (to: Value, from: Value): Instruction =>
  to.class === "integer" ? instruction("mov Xd, Xm", to, from) : instruction(VECTOR_COPY, to, from, from)

const VECTOR_COPY = "orr Vd.16B, Vn.16B, Vm.16B"
const LOADS: Readonly<Record<RegisterFile, string>> = { integer: "ldr Xd, [Xn, #i*8]", vector: "ldr Qd, [Xn, #i*16]" }
const STORES: Readonly<Record<RegisterFile, string>> = { integer: "str Xd, [Xn, #i*8]", vector: "str Qd, [Xn, #i*16]" }

const fileOf = (registerClass: string): RegisterFile => registerClass as RegisterFile

/** Integer registers are numbered from 0, vectors from 32. */
const numberOf = ({ class: file, n }: Register): number => (file === "integer" ? n : 32 + n)
const FLAGS = 64

const physical = (syntax: string, ...operands: Operand[]): PhysicalInstruction => {
  const form = formOf(syntax)
  return { mnemonic: form.mnemonic, form, operands }
}

const isSame = (a: VirtualOperand | undefined, b: VirtualOperand | undefined): boolean =>
  a?.kind === "virtual" && b?.kind === "virtual" && a.id === b.id

export const arm64: Architecture = {
  keepsIntegerOrder: false,
  fileOf,
  numberOf,

  accessOf({ form }: Instruction, k: number): Access {
    const pattern = form.operands[k]!
    return pattern.kind === "register" || pattern.kind === "memory" ? pattern : { read: true, write: false }
  },

  implicitAccess: ({ form: { flags } }: Instruction): ImplicitAccess => ({
    reads: flags.read ? [FLAGS] : [],
    writes: flags.write ? [FLAGS] : [],
  }),

  isLoad: ({ form: { syntax } }: Instruction): boolean => syntax === LOADS.integer || syntax === LOADS.vector,

  storeOf: ({ form: { syntax } }: Instruction) => (syntax === STORES.integer ? { place: 1, value: 0 } : undefined),

  isCopy: ({ form: { syntax }, operands }: Instruction): boolean =>
    syntax === "mov Xd, Xm" || (syntax === VECTOR_COPY && isSame(operands[1], operands[2])),

  loadedFrom([, from]: readonly Operand[], instruction: Instruction): Memory | undefined {
    return this.isLoad(instruction) && from?.kind === "memory" ? from : undefined
  },

  /** Only loads and stores access memory. */
  foldable: () => -1,
  canFold: () => false,

  followsPrevious({ form }: Instruction): boolean {
    const [first] = form.operands
    return form.flags.read || (first?.kind === "register" && first.read && first.write)
  },

  wholeClass: registerClass => registerClass,
  load: (to: Register, from: Memory) => physical(LOADS[fileOf(to.class)], to, from),
  store: (to: Memory, from: Register) => physical(STORES[fileOf(from.class)], from, to),
}
