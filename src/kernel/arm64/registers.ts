/**
 * Registers with one purpose throughout a kernel. x18 belongs to the system (macOS, Windows) and x29 is the caller's frame
 * pointer; the code changes neither.
 */
import { type HardwareRegister, type Memory, memory, v, x } from "./assembler/operands.ts"

/** Address of the context. */
export const CONTEXT = x(0)
/** Memory of the context. @param offset bytes */
export const inContext = (offset: number): Memory<HardwareRegister> => memory(CONTEXT, offset)

/** Address of the current entry of a step's constant table. */
export const TABLE_POINTER = x(1)
/** Entries left, including the current one. */
export const ENTRIES_LEFT = x(2)
/** Address of the constant pool after the code. */
export const POOL = x(3)
/** 2^32 − 1 */
export const EPS = x(4)
/** Used by instructions between blocks. */
export const SCRATCH = x(5)
export const LINK = x(30)

/** 2^32 − 1 in every 32-bit limb. */
export const EPS_LIMBS = v(31)
/** 2^32 − 1 in every 64-bit lane. */
export const LOW_HALVES = v(30)

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Registers for the allocator, including `SCRATCH` and `LINK`, which no block preserves. */
export const INTEGERS = [...range(5, 17), ...range(19, 28), LINK.n]
export const VECTORS = range(0, 29)

/** Registers that the calling convention preserves, saved in pairs: x19 … x30, and the low halves of v8 … v15. */
export const SAVED_INTEGERS = [
  [19, 20],
  [21, 22],
  [23, 24],
  [25, 26],
  [27, 28],
  [29, 30],
] as const
export const SAVED_VECTORS = [
  [8, 9],
  [10, 11],
  [12, 13],
  [14, 15],
] as const
