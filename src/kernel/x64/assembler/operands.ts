/**
 * Operands of x86-64 instructions. A register is virtual until the allocator has run: `n` is then its hardware number.
 */

export type RegisterClass = "r32" | "r64" | "ymm" | "zmm" | "k"

export interface Register {
  readonly kind: "register"
  readonly class: RegisterClass
  /** Hardware number: 0 … 15 for integers and VEX vectors, 0 … 31 for EVEX vectors, 0 … 7 for masks. */
  readonly n: number
}

/** A register the allocator has to find: one value, which may be written more than once (loop variables). */
export interface VirtualRegister {
  readonly kind: "virtual"
  readonly class: RegisterClass
  readonly id: number
}

export interface Memory<R = Register> {
  readonly kind: "memory"
  /** Absent: relative to the instruction pointer, `label` says where. */
  readonly base?: R
  readonly index?: R
  readonly scale?: 1 | 2 | 4 | 8
  readonly displacement: number
  readonly label?: Label
  /** EVEX: one element, repeated in all lanes. */
  readonly broadcast?: boolean
}

export interface Immediate {
  readonly kind: "immediate"
  readonly value: number | bigint
}

/** A place in the code, bound once, referred to any number of times. */
export interface Label {
  readonly kind: "label"
  readonly name: string
}

export type Operand = Register | Memory | Immediate | Label
export type VirtualOperand = VirtualRegister | Register | Memory<VirtualRegister | Register> | Immediate | Label

const register = (cls: RegisterClass) => (n: number) =>
  ({ kind: "register", class: cls, n }) as const satisfies Register

export const r32 = register("r32")
export const r64 = register("r64")
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

export const immediate = (value: number | bigint): Immediate => ({ kind: "immediate", value })

export const label = (name: string): Label => ({ kind: "label", name })

/** `[base + displacement]`, or with an index `[base + index * scale + displacement]`. */
export function memory<R>(base: R, displacement = 0, index?: R, scale: 1 | 2 | 4 | 8 = 1): Memory<R> {
  return { kind: "memory", base, displacement, ...(index === undefined ? {} : { index, scale }) }
}

/** `[rip + label]`: data that lies beside the code. */
export const relative = (to: Label, displacement = 0): Memory<never> => ({
  kind: "memory",
  displacement,
  label: to,
})

/** The same element in every lane: `m64bcst`. */
export const broadcast = <R>(memory: Memory<R>): Memory<R> => ({ ...memory, broadcast: true })

/** As the manual writes it, Intel syntax. */
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
