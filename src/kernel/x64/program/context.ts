/**
 * The context: the memory that a kernel's machine code reads and writes, with its address in rdi. Words have 64 bits,
 * vectors 32 or 64 bytes.
 *
 *     INPUT     12 words     state passed by the caller
 *     TARGET     1 word      first 64 bits of the target minus 2^63, for signed comparison
 *     FIRST      1 word      t0 of a row, or first counter of a range
 *     BATCHES    1 word      number of batches of a range
 *     LOOP       5 words     loop over batches and groups: pointers to the next columns and results, next counter,
 *                            batches left, groups of this batch left
 *     OUTPUT    12 words     permuted state, canonical
 *     STATE      1 state     passed to and returned by a step
 *     SPILL    128 vectors   spilled vector registers
 *     INTEGERS  64 words     spilled integer registers
 *     PLANE     12 words     inputs of the first round's S-boxes
 *     ROWPART   12 words     state after the first round: the row's part
 *     COLUMNS   12 × rowColumns words   the columns' parts, canonical, `[element][t1]`
 *     RESULTS    4 bytes per batch and lane set, in the order of the nonces: bit *i* is set if lane *i* is no candidate
 */
import { WIDTH } from "../../../pow/constants.ts"
import { layOut, roomBytes, rowOf, type SearchLayout, wordsFrom } from "../../native/context.ts"

/** What determines the layout. */
export interface Shape {
  readonly vectorBytes: number
  /** Size in bytes of the states of all vocabularies. */
  readonly stateBytes: number
  /** Lanes of each lane set of a batch. */
  readonly lanes: readonly number[]
}

export interface ContextLayout extends SearchLayout {
  /** Groups of the batch that are left. */
  readonly groupsLeft: number
}

/** The areas before STATE, whose sizes are the same for every kernel. */
const BEFORE_STATE = { input: 8 * WIDTH, target: 8, first: 8, batches: 8, loop: 8 * 5, output: 8 * WIDTH }

/** Byte offset of STATE. */
export const STATE_OFFSET = layOut(BEFORE_STATE).size

export const spillRooms = (vectorBytes: number) => ({
  vector: { bytes: vectorBytes, max: 128 },
  integer: { bytes: 8, max: 64 },
})

export function contextLayout({ vectorBytes, stateBytes, lanes }: Shape): ContextLayout {
  const row = rowOf(lanes.reduce((sum, each) => sum + each, 0))
  const { vector, integer } = spillRooms(vectorBytes)
  const { loop, ...areas } = layOut({
    ...BEFORE_STATE,
    state: stateBytes,
    spilledVectors: roomBytes(vector),
    spilledIntegers: roomBytes(integer),
    plane: 8 * WIDTH,
    rowPart: 8 * WIDTH,
    columns: 8 * WIDTH * row.rowColumns,
    results: 4 * lanes.length * row.rowBatches,
  })
  const pointers = wordsFrom(loop, ["nextColumns", "nextResults", "nextCounter", "batchesLeft", "groupsLeft"])
  return { ...areas, ...pointers, ...row, columnStride: row.rowColumns }
}
