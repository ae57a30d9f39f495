/** The context: the memory that a kernel's machine code works on. Each instruction set chooses the order of its areas. */
import type { RegisterFile } from "../compiler/architecture.ts"
import { ROW } from "../kernel.ts"
import type { NativeLayout } from "./native-kernel.ts"

/** Byte offsets of the areas that every context has. */
export interface SearchLayout extends NativeLayout {
  /** Addresses of the batch's columns and results, its first counter, and the number of batches left: one word each. */
  readonly nextColumns: number
  readonly nextResults: number
  readonly nextCounter: number
  readonly batchesLeft: number
  /** The state that steps receive and return. */
  readonly state: number
  readonly spilledVectors: number
  readonly spilledIntegers: number
  /** Inputs of the first round's S-boxes, 12 words. */
  readonly plane: number
  /** The row's part of the state after the first round, 12 words. */
  readonly rowPart: number
  /** The columns' parts, canonical words, `[element][t1]`. */
  readonly columns: number
  /** Which nonces are candidates, as the instruction set reports it. */
  readonly results: number
  /** Size of the context in bytes. */
  readonly size: number
  /** Batches per row. */
  readonly rowBatches: number
  /** Words from one element's columns to the next element's. */
  readonly columnStride: number
}

/** Every area begins at a multiple of this number of bytes, a cache line. */
const LINE = 64

/**
 * @param areas bytes of each area, in the order of their addresses
 * @returns byte offsets of the areas, and the size of all
 */
export function layOut<Area extends string>(areas: Readonly<Record<Area, number>>): Record<Area | "size", number> {
  let size = 0
  const offsets = {} as Record<Area | "size", number>
  for (const [area, bytes] of Object.entries<number>(areas)) {
    offsets[area as Area] = size
    size += Math.ceil(bytes / LINE) * LINE
  }
  return { ...offsets, size }
}

/** @returns byte offsets of consecutive 64-bit words from `offset` on, by name */
export const wordsFrom = <Name extends string>(offset: number, names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name, i) => [name, offset + 8 * i])) as Record<Name, number>

/** @param lanes nonces per batch @returns the whole batches that a row has, and their nonces */
export function rowOf(lanes: number): { readonly rowBatches: number; readonly rowColumns: number } {
  const rowBatches = Math.ceil(ROW / lanes)
  return { rowBatches, rowColumns: rowBatches * lanes }
}

/** The room for spilled values of one register file: bytes of a value, and the number of values. */
export interface SpillRoom {
  readonly bytes: number
  readonly max: number
}

/**
 * @returns a function from a register file and *n* to the byte offset of that file's *n*-th spilled value; it throws
 *   RangeError if there is no room for it
 */
export const spillOffsets =
  (layout: SearchLayout, rooms: Readonly<Record<RegisterFile, SpillRoom>>) =>
  (file: RegisterFile, n: number): number => {
    const { bytes, max } = rooms[file]
    if (n >= max) throw new RangeError(`more than ${max} spilled ${file} registers`)
    return (file === "integer" ? layout.spilledIntegers : layout.spilledVectors) + n * bytes
  }

export const roomBytes = ({ bytes, max }: SpillRoom): number => bytes * max
