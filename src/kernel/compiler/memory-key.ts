import type { Memory, Register, VirtualRegister } from "./operands.ts"

/**
 * A safe integer that identifies a memory operand by its base register and displacement. Operands with different keys
 * must not overlap.
 * @param readOnly hardware numbers of integer registers that point to memory which is never written
 * @returns undefined for memory that is never written
 */
export function memoryKey(
  { base, displacement }: Memory<Register | VirtualRegister>,
  readOnly: ReadonlySet<number>,
): number | undefined {
  if (!base || (base.kind === "register" && readOnly.has(base.n))) return undefined
  return (base.kind === "register" ? base.n : HARDWARE_REGISTERS + base.id) * 2 ** 32 + displacement
}

/** More than any architecture has. */
const HARDWARE_REGISTERS = 64
