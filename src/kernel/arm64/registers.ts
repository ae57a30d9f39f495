/**
 * Registers that mean the same throughout a kernel. x18 is the system's (macOS, Windows) and x29 the caller's frame
 * pointer: neither is touched.
 */
import { v, x } from "./assembler/assembler.ts"

/** The context. */
export const CONTEXT = x(0)
/** The current entry of a step's table of constants, and entries left. */
export const TABLE_POINTER = x(1)
export const ENTRIES_LEFT = x(2)
/** Constants beside the code. */
export const POOL = x(3)
/** 2^32 − 1 */
export const EPS = x(4)
/** For instructions between blocks. */
export const SCRATCH = x(5)
export const LINK = x(30)

/** Two limbs of 2^32 − 1 each lane, and its low half alone. */
export const EPS_LIMBS = v(31)
export const LOW_HALVES = v(30)

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** For the allocator: `SCRATCH` and `LINK` too, which no block has to keep. */
export const INTEGERS = [...range(5, 17), ...range(19, 28), LINK.n]
export const VECTORS = range(0, 29)

/** Saved in pairs, as the calling convention asks for: x19 … x28, x29 and x30, and the low halves of v8 … v15. */
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
