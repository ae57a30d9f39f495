/**
 * The memory that a kernel's machine code works on, addressed from rdi. Offsets in bytes; a vector has 32 or 64, and
 * nonces are worked on in batches, by one unit or more.
 *
 *     INPUT     12 words     a state given by the caller
 *     TARGET     1 word      the target's first 64 bits less 2^63, for signed comparison
 *     FIRST      1 word      t0 of a row, or the first counter of a range
 *     BATCHES    1 word      batches of a range
 *     LOOP       5 words     of the loop over batches and groups: the columns, masks and first counter of the next, how
 *                            many batches and how many groups of the batch are left
 *     OUTPUT    12 words     canonical
 *     STATE      1 state     on its way into and out of a step
 *     SPILL    128 vectors   values that found no register
 *     INTEGERS  64 words     integers that found none
 *     PLANE     12 words     inputs of the first round's S-boxes
 *     ROWPART   12 words
 *     COLUMNS   12 · columns words, canonical, by element and then t1
 *     MASKS      4 bytes for each batch and unit   a bit a lane: no candidate
 */
import { WIDTH } from "../../../pow/constants.ts"
import { ROW } from "../../kernel.ts"

/** Values of either kind that find room where they find no register. */
export const SPILLED_VECTORS = 128
export const SPILLED_INTEGERS = 64

/** What the layout depends on. */
export interface Shape {
  readonly vectorBytes: number
  /** Of the states of all units. */
  readonly stateBytes: number
  /** Nonces of a batch, and units that they are spread over. */
  readonly lanes: number
  readonly laneSets: number
}

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
  readonly size: number
  /** Batches of a row, and its columns. */
  readonly rowBatches: number
  readonly rowColumns: number
}

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
