/** The properties of x86-64 that the compiler's passes use. */
import type {
  Access,
  Architecture,
  BlockInstruction,
  ImplicitAccess,
  RegisterFile,
} from "../../compiler/architecture.ts"
import type { EvexOptions } from "../assembler/encode.ts"
import {
  broadcast,
  type Memory,
  type Operand,
  type Register,
  type RegisterClass,
  type VirtualOperand,
} from "../assembler/operands.ts"
import type { Instruction } from "../assembler/table.ts"

/** An instruction over virtual registers. */
export interface X64Instruction extends BlockInstruction {
  readonly form: Instruction
  readonly operands: readonly VirtualOperand[]
  readonly options?: EvexOptions
}

/** The instruction that moves a whole register to or from memory, by register class. */
const MOVE: Readonly<Partial<Record<string, string>>> = { r64: "mov", ymm: "vmovdqu", zmm: "vmovdqu64" }

/** The instruction that repeats one word of memory in all lanes. */
const REPEAT = "vpbroadcastq"

const isMove = ({ form }: X64Instruction, registerClass: string | undefined): boolean =>
  registerClass !== undefined && MOVE[registerClass] === form.mnemonic

const fileOf = (registerClass: string): RegisterFile =>
  registerClass === "r32" || registerClass === "r64" ? "integer" : "vector"

/** Hardware registers are numbered from 0 (integer), 32 (vector) and 64 (mask); the flags have the last number. */
const FIRST_NUMBER: Readonly<Record<RegisterClass, number>> = { r32: 0, r64: 0, xmm: 32, ymm: 32, zmm: 32, k: 64 }
const FLAGS = 127
const [RAX, RDX] = [0, 2]

const numberOf = (register: Register): number => FIRST_NUMBER[register.class] + register.n

/** Whether the instruction only moves a whole register, with memory as operand `memoryAt`. */
function movedWith(instruction: X64Instruction, memoryAt: 0 | 1): boolean {
  const register = instruction.operands[1 - memoryAt]
  return (
    instruction.operands[memoryAt]?.kind === "memory" &&
    (register?.kind === "virtual" || register?.kind === "register") &&
    isMove(instruction, register.class)
  )
}

export const x64: Architecture = {
  keepsIntegerOrder: true,
  fileOf,
  numberOf,

  /** A masked instruction that does not zero leaves the other lanes of its result unchanged, so it also reads it. */
  accessOf({ form, options }: X64Instruction, k: number): Access {
    const access = form.operands[k]!
    return access.write && options?.mask && !options.zero ? { read: true, write: true } : access
  },

  implicitAccess({ form, options }: X64Instruction): ImplicitAccess {
    const reads: number[] = []
    const writes: number[] = []
    if (options?.mask) reads.push(numberOf(options.mask))
    if (form.flags.read) reads.push(FLAGS)
    if (form.flags.write) writes.push(FLAGS)
    if (form.rax.read) reads.push(RAX)
    if (form.rax.write) writes.push(RAX)
    if (form.rdx.read) reads.push(RDX)
    if (form.rdx.write) writes.push(RDX)
    return { reads, writes }
  },

  isLoad: (instruction: X64Instruction): boolean => movedWith(instruction, 1),

  storeOf: (instruction: X64Instruction) =>
    instruction.form.mnemonic === "mov" && instruction.operands[0]?.kind === "memory"
      ? { place: 0, value: 1 }
      : undefined,

  isCopy(instruction: X64Instruction): boolean {
    const [to, from] = instruction.operands
    return to?.kind === "virtual" && from?.kind === "virtual" && isMove(instruction, from.class)
  },

  loadedFrom([to, from]: readonly Operand[], { form }: X64Instruction): Memory | undefined {
    if (to?.kind !== "register" || from?.kind !== "memory") return undefined
    if (form.mnemonic === MOVE[to.class]) return from
    return form.mnemonic === REPEAT && to.class === "zmm" ? broadcast(from) : undefined
  },

  /** Only the operand in ModRM.rm can be memory. */
  foldable({ form }: X64Instruction): number {
    const k = form.at.M
    const pattern = form.operands[k]
    return pattern && !pattern.write && pattern.memory !== undefined ? k : -1
  },

  followsPrevious: () => false,
  canFold: ({ form }: X64Instruction, k, from) => !from.broadcast || form.operands[k]!.broadcast === true,

  wholeClass: (registerClass: string): string => (registerClass === "r32" ? "r64" : registerClass),

  load: (to, from) =>
    from.broadcast
      ? { mnemonic: REPEAT, operands: [to, { ...from, broadcast: false }] }
      : { mnemonic: MOVE[to.class]!, operands: [to, from] },
  store: (to, from) => ({ mnemonic: MOVE[from.class]!, operands: [to, from] }),
}
