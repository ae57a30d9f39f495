/** Operands of x86-64 instructions. */
import type * as neutral from "../../compiler/operands.ts"

export { type Immediate, immediate, type Label, label, memory, relative } from "../../compiler/operands.ts"

export type RegisterClass = "r32" | "r64" | "xmm" | "ymm" | "zmm" | "k"

/** `n` is 0 … 15 for integer, SSE and VEX vector registers, 0 … 31 for EVEX vector registers, 0 … 7 for mask registers. */
export type Register = neutral.Register<RegisterClass>
export type VirtualRegister = neutral.VirtualRegister<RegisterClass>
export type Memory<R = Register> = neutral.Memory<R>
export type Operand = neutral.Operand<RegisterClass>
export type VirtualOperand = neutral.VirtualOperand<RegisterClass>

const register = (cls: RegisterClass) => (n: number) =>
  ({ kind: "register", class: cls, n }) as const satisfies Register

export const r32 = register("r32")
export const r64 = register("r64")
export const xmm = register("xmm")
export const ymm = register("ymm")
export const zmm = register("zmm")
export const mask = register("k")

export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = [0, 1, 2, 3, 4, 5, 6, 7].map(r64) as [
  Register,
  Register,
  Register,
  Register,
  Register,
  Register,
  Register,
  Register,
]

/** @returns the operand with one element repeated in all lanes: `m64bcst` */
export const broadcast = <R>(memory: Memory<R>): Memory<R> => ({ ...memory, broadcast: true })

/** @returns the operand in the manual's Intel syntax */
export function format(operand: VirtualOperand): string {
  switch (operand.kind) {
    case "register":
      return registerName(operand)
    case "virtual":
      return `%${operand.class}.${operand.id}`
    case "immediate":
      return String(operand.value)
    case "label":
      return operand.name
    case "memory": {
      const terms = [
        operand.label?.name,
        operand.base && format(operand.base),
        operand.index && `${format(operand.index)}*${operand.scale}`,
        operand.displacement ? String(operand.displacement) : undefined,
      ].filter(term => term !== undefined)
      return `[${terms.join(" + ") || "0"}]${operand.broadcast ? "{1to8}" : ""}`
    }
  }
}

const integerNames = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]

export function registerName({ class: cls, n }: Register): string {
  if (cls === "r64") return n < 8 ? `r${integerNames[n]}` : `r${n}`
  if (cls === "r32") return n < 8 ? `e${integerNames[n]}` : `r${n}d`
  return `${cls}${n}`
}
