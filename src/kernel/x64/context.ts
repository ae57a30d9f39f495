/**
 * The memory that a kernel's machine code works on, addressed from rdi. Offsets in bytes; a vector has 32 or 64, and
 * nonces are worked on in one vector or more at a time, the streams.
 *
 *     INPUT     12 words     a state given by the caller
 *     TARGET     1 word      the target's first 64 bits less 2^63, for signed comparison
 *     FIRST      1 word      t0 of a row, or the first counter of a range
 *     BATCHES    1 word      batches of a range
 *     OUTPUT    12 vectors   words a lane, canonical
 *     STATE     24 vectors a stream   a state on its way into and out of a step
 *     SPILL    128 vectors   values that found no register
 *     PLANE     24 vectors a stream   inputs of the first round's S-boxes
 *     ROWPART   24 vectors a stream   limbs, their high halves 0
 *     COLUMNS   12 · ROW words, canonical, by element and then t1
 *     MASKS     ROW / 4 · 4 bytes   a bit a lane, by batch: no candidate
 */
import { WIDTH } from "../../pow/constants.ts"
import { ROW } from "../kernel.ts"

export interface ContextLayout {
  readonly input: number
  readonly target: number
  readonly first: number
  readonly batches: number
  readonly output: number
  readonly state: number
  readonly spill: number
  readonly plane: number
  readonly rowPart: number
  readonly columns: number
  readonly masks: number
  readonly size: number
}

/** @param streams vectors an element is wide where it is kept */
export function contextLayout(vectorBytes: number, streams = 1): ContextLayout {
  let size = 0
  const take = (bytes: number) => {
    const offset = size
    size += Math.ceil(bytes / 64) * 64
    return offset
  }
  const layout = {
    input: take(8 * WIDTH),
    target: take(8),
    first: take(8),
    batches: take(8),
    output: take(WIDTH * vectorBytes),
    state: take(2 * WIDTH * vectorBytes * streams),
    spill: take(128 * vectorBytes),
    plane: take(2 * WIDTH * vectorBytes * streams),
    rowPart: take(2 * WIDTH * vectorBytes * streams),
    columns: take(8 * WIDTH * ROW),
    masks: take(ROW),
  }
  return { ...layout, size }
}
