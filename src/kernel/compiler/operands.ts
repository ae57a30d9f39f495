/**
 * Operands of instructions, for every architecture. A register is virtual until the allocator has run. An architecture
 * narrows the class names: x86-64 has `r32`, `r64`, `ymm`, `zmm` and `k`.
 */

/** A hardware register. */
export interface Register<Class extends string = string> {
  readonly kind: "register"
  readonly class: Class
  /** Hardware number within its register file. */
  readonly n: number
}

/** A register for the allocator to assign: one value, which may be written more than once. */
export interface VirtualRegister<Class extends string = string> {
  readonly kind: "virtual"
  readonly class: Class
  readonly id: number
}

/** `[base + index * scale + displacement]`, or `[label + displacement]`. */
export interface Memory<R = Register> {
  readonly kind: "memory"
  /** Absent if the address is relative to `label`. */
  readonly base?: R
  readonly index?: R
  readonly scale?: 1 | 2 | 4 | 8
  /** Bytes. */
  readonly displacement: number
  readonly label?: Label
  /** One element, repeated in all lanes. */
  readonly broadcast?: boolean
}

export interface Immediate {
  readonly kind: "immediate"
  readonly value: number | bigint
}

/** A place in the code, bound once and referred to any number of times. */
export interface Label {
  readonly kind: "label"
  readonly name: string
}

export type Operand<Class extends string = string> = Register<Class> | Memory<Register<Class>> | Immediate | Label

export type VirtualOperand<Class extends string = string> =
  | VirtualRegister<Class>
  | Register<Class>
  | Memory<VirtualRegister<Class> | Register<Class>>
  | Immediate
  | Label

export const immediate = (value: number | bigint): Immediate => ({ kind: "immediate", value })

export const label = (name: string): Label => ({ kind: "label", name })

/** `[base + displacement]`, or with an index `[base + index * scale + displacement]`. */
export function memory<R>(base: R, displacement = 0, index?: R, scale: 1 | 2 | 4 | 8 = 1): Memory<R> {
  return { kind: "memory", base, displacement, ...(index === undefined ? {} : { index, scale }) }
}

/** `[label + displacement]`: data beside the code. */
export const relative = (to: Label, displacement = 0): Memory<never> => ({ kind: "memory", displacement, label: to })
