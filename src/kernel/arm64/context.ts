/**
 * The context: the memory that a kernel's machine code works on, addressed from x0. Offsets are in bytes. The nonces of a
 * batch are numbered consecutively, those in vectors first.
 *
 *     SAVED     20 words     x19 … x30 and d8 … d15 of the caller
 *     INPUT     12 words     the caller's state; for `synchronise`, the addresses of the code's start and end
 *     TARGET     1 word      first 64 bits of the target, as a number
 *     FIRST      1 word      t0 of a row, or the first counter of a range
 *     BATCHES    1 word      batches of a range
 *     LOOP       6 words     columns, results and first counter of the batch; batches left; two return addresses
 *     OUTPUT    12 words     state after the permutation, canonical
 *     STATE      1 state     passed to and from a step: vectors, then words
 *     SPILLED   96 vectors, then 96 words: spilled registers
 *     PLANE     12 words     inputs of the first round's S-boxes
 *     ROWPART   12 words     state after the first round: the row's part
 *     RESULTS   4 bytes per nonce   0 marks a candidate
 *     COLUMNS   12 × columnStride words   the columns' parts, canonical, `[element][t1]`
 */
import { WIDTH } from "../../pow/constants.ts"
import { layOut, roomBytes, rowOf, type SearchLayout, wordsFrom } from "../native/context.ts"

export interface ContextLayout extends SearchLayout {
  /** The caller's registers. */
  readonly saved: number
  /** Return address of the test of a batch. */
  readonly testLink: number
}

/** The areas before STATE, whose sizes are the same for every kernel. */
const BEFORE_STATE = { saved: 8 * 20, input: 8 * WIDTH, scalars: 8 * 3, loop: 8 * 6, output: 8 * WIDTH }

const { size, loop } = layOut(BEFORE_STATE)

const LOOP = wordsFrom(loop, ["nextColumns", "nextResults", "nextCounter", "batchesLeft", "testLink", "stepLink"])

/** Byte offset of STATE. */
export const STATE_OFFSET = size

/** Byte offset of the return address of a step. */
export const STEP_LINK_OFFSET = LOOP.stepLink

export const SPILL_ROOMS = { vector: { bytes: 16, max: 96 }, integer: { bytes: 8, max: 96 } } as const

/** @param lanes nonces per batch @param stateBytes bytes of the states of all lane sets */
export function contextLayout(lanes: number, stateBytes: number): ContextLayout {
  const row = rowOf(lanes)
  const columnStride = row.rowColumns + (row.rowColumns % 2)
  const { scalars, ...areas } = layOut({
    ...BEFORE_STATE,
    state: stateBytes,
    spilledVectors: roomBytes(SPILL_ROOMS.vector),
    spilledIntegers: roomBytes(SPILL_ROOMS.integer),
    plane: 8 * WIDTH,
    rowPart: 8 * WIDTH,
    results: 4 * row.rowColumns,
    columns: 8 * WIDTH * columnStride,
  })
  const parameters = wordsFrom(scalars, ["target", "first", "batches"])
  return { ...areas, ...parameters, ...LOOP, ...row, columnStride }
}
