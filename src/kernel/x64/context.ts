/**
 * The memory that a kernel's machine code works on, addressed from rdi. Offsets in bytes; a vector has 32 or 64.
 *
 *     INPUT     12 words     a state given by the caller
 *     TARGET     1 word      the target's first 64 bits less 2^63, for signed comparison
 *     FIRST      1 word      t0 of a row, or the first counter of a range
 *     BATCHES    1 word      batches of a range
 *     OUTPUT    12 vectors   words a lane, canonical
 *     STATE     24 vectors   a state on its way into and out of a step
 *     SPILL    128 vectors   values that found no register
 *     PLANE     24 vectors   elements 0, 4, 1, 5: inputs of the moved S-boxes; the others: outputs of the fixed ones
 *     ROWPART   24 vectors   limbs, their high halves 0
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

export function contextLayout(vectorBytes: number): ContextLayout {
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
    state: take(2 * WIDTH * vectorBytes),
    spill: take(128 * vectorBytes),
    plane: take(2 * WIDTH * vectorBytes),
    rowPart: take(2 * WIDTH * vectorBytes),
    columns: take(8 * WIDTH * ROW),
    masks: take(ROW),
  }
  return { ...layout, size }
}
