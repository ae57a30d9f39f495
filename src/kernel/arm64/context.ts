/**
 * The context: the memory that a kernel's machine code works on, addressed from x0. Offsets are in bytes. The nonces of a
 * batch are numbered consecutively, those in vectors first.
 *
 *     SAVED     20 words     x19 … x30 and d8 … d15 of the caller
 *     INPUT     12 words     the caller's state; for `synchronise`, the addresses of the code's start and end
 *     TARGET     1 word      first 64 bits of the target, as a number
 *     FIRST      1 word      t0 of a row, or the first counter of a range
 *     BATCHES    1 word      batches of a range
 *     LOOP       6 words     columns, flags and first counter of the batch; batches left; two return addresses
 *     OUTPUT    12 words     state after the permutation, canonical
 *     STATE      1 state     passed to and from a step: vectors, then words
 *     SPILL     spilled values: 96 vectors, 96 words
 *     PLANE     12 words     inputs of the first round's S-boxes
 *     ROWPART   12 words     state after the first round: the row's part
 *     FLAGS     4 bytes per nonce   0 marks a candidate
 *     COLUMNS   12 × columnStride words   the columns' parts, canonical, `[element][t1]`
 */
import { WIDTH } from "../../pow/constants.ts"
import { ROW } from "../kernel.ts"

/** Maximum number of spilled values of each register file. */
export const MAX_SPILLED = 96

export interface ContextLayout {
  readonly saved: number
  readonly input: number
  readonly target: number
  readonly first: number
  readonly batches: number
  readonly nextColumns: number
  readonly nextFlags: number
  readonly nextCounter: number
  readonly batchesLeft: number
  readonly testLink: number
  readonly stepLink: number
  readonly output: number
  readonly state: number
  readonly spilledVectors: number
  readonly spilledIntegers: number
  readonly plane: number
  readonly rowPart: number
  readonly flags: number
  readonly columns: number
  readonly size: number
  /** Batches per row. */
  readonly rowBatches: number
  /** Nonces per row. */
  readonly rowColumns: number
  /** Words from one element's columns to the next element's. */
  readonly columnStride: number
}

/** @param lanes nonces per batch @param stateBytes bytes of the states of all lane sets */
export function contextLayout(lanes: number, stateBytes: number): ContextLayout {
  let size = 0
  const take = (bytes: number) => {
    const offset = size
    size += Math.ceil(bytes / 64) * 64
    return offset
  }
  const rowBatches = Math.ceil(ROW / lanes)
  const rowColumns = rowBatches * lanes
  const columnStride = rowColumns + (rowColumns % 2)
  const [saved, input, scalars, loop] = [take(8 * 20), take(8 * WIDTH), take(8 * 3), take(8 * 6)] as const
  const layout = {
    saved,
    input,
    target: scalars,
    first: scalars + 8,
    batches: scalars + 16,
    nextColumns: loop,
    nextFlags: loop + 8,
    nextCounter: loop + 16,
    batchesLeft: loop + 24,
    testLink: loop + 32,
    stepLink: loop + 40,
    output: take(8 * WIDTH),
    state: take(stateBytes),
    spilledVectors: take(16 * MAX_SPILLED),
    spilledIntegers: take(8 * MAX_SPILLED),
    plane: take(8 * WIDTH),
    rowPart: take(8 * WIDTH),
    flags: take(4 * rowColumns),
    columns: take(8 * WIDTH * columnStride),
  }
  return { ...layout, size, rowBatches, rowColumns, columnStride }
}
