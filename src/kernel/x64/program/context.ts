/**
 * The context: the memory that a kernel's machine code reads and writes, with its address in rdi. Words have 64 bits,
 * vectors 32 or 64 bytes.
 *
 *     INPUT     12 words     state passed by the caller
 *     TARGET     1 word      first 64 bits of the target minus 2^63, for signed comparison
 *     FIRST      1 word      t0 of a row, or first counter of a range
 *     BATCHES    1 word      number of batches of a range
 *     LOOP       5 words     loop over batches and groups: pointers to the next columns and masks, next counter,
 *                            batches left, groups of this batch left
 *     OUTPUT    12 words     permuted state, canonical
 *     STATE      1 state     passed to and returned by a step
 *     SPILL    128 vectors   spilled vector registers
 *     INTEGERS  64 words     spilled integer registers
 *     PLANE     12 words     inputs of the first round's S-boxes
 *     ROWPART   12 words     state after the first round: the row's part
 *     COLUMNS   12 × rowColumns words   the columns' parts, canonical, `[element][t1]`
 *     MASKS      4 bytes per batch and lane set, in the order of the nonces: bit *i* is set if lane *i* is no candidate
 */
import { WIDTH } from "../../../pow/constants.ts"
import { ROW } from "../../kernel.ts"

/** Spill locations for vector and for integer registers. */
export const SPILLED_VECTORS = 128
export const SPILLED_INTEGERS = 64

/** Sizes that determine the layout. */
export interface Shape {
  readonly vectorBytes: number
  /** Size in bytes of the states of all lane sets. */
  readonly stateBytes: number
  /** Nonces per batch. */
  readonly lanes: number
  /** Lane sets of a batch. */
  readonly laneSets: number
}

/** Byte offsets of the areas listed above, unless noted otherwise. */
export interface ContextLayout {
  readonly input: number
  readonly target: number
  readonly first: number
  readonly batches: number
  readonly nextColumns: number
  readonly nextMasks: number
  readonly nextCounter: number
  readonly batchesLeft: number
  readonly groupsLeft: number
  readonly output: number
  readonly state: number
  readonly spill: number
  readonly integers: number
  readonly plane: number
  readonly rowPart: number
  readonly columns: number
  readonly masks: number
  /** Size of the context in bytes. */
  readonly size: number
  /** Batches per row. */
  readonly rowBatches: number
  /** Nonces per row: a multiple of the batch, at least `ROW`. */
  readonly rowColumns: number
}

/** @returns the layout; every area is aligned to 64 bytes */
export function contextLayout({ vectorBytes, stateBytes, lanes, laneSets }: Shape): ContextLayout {
  let size = 0
  const take = (bytes: number) => {
    const offset = size
    size += Math.ceil(bytes / 64) * 64
    return offset
  }
  const rowBatches = Math.ceil(ROW / lanes)
  const rowColumns = rowBatches * lanes
  const input = take(8 * WIDTH)
  const target = take(8)
  const first = take(8)
  const batches = take(8)
  const loop = take(8 * 5)
  const layout = {
    input,
    target,
    first,
    batches,
    nextColumns: loop,
    nextMasks: loop + 8,
    nextCounter: loop + 16,
    batchesLeft: loop + 24,
    groupsLeft: loop + 32,
    output: take(8 * WIDTH),
    state: take(stateBytes),
    spill: take(SPILLED_VECTORS * vectorBytes),
    integers: take(8 * SPILLED_INTEGERS),
    plane: take(8 * WIDTH),
    rowPart: take(8 * WIDTH),
    columns: take(8 * WIDTH * rowColumns),
    masks: take(4 * laneSets * rowBatches),
    rowBatches,
    rowColumns,
  }
  return { ...layout, size }
}
