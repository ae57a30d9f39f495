/**
 * The compiler of straight-line blocks. Its passes, in order:
 *
 * 1. A block is recorded over virtual registers, in the order in which it was written. Values live across blocks in
 *    memory only.
 * 2. `splitByFile`: a hot block is split into vector code and integer code, which share no register and no flag. An
 *    architecture without `keepsIntegerOrder` skips steps 2 and 5 and schedules both together.
 * 3. `schedule`: vector code is reordered for a core's ports and latencies. `storeEarly`: in integer code, stores move
 *    up to where their value is computed.
 * 4. `allocate`: each stream gets hardware registers; values that find none are spilled.
 * 5. `interleave`: the integer code is spread evenly over the vector code, so that it runs on ports that vector code
 *    leaves idle.
 *
 * A block that is not hot is only allocated. Memory operands are distinguished by base register and displacement (see
 * `memoryKey`), so different ones must not overlap.
 */
import { type AllocateOptions, allocate } from "./allocate.ts"
import type { Allocation, BlockInstruction } from "./architecture.ts"
import { interleave, splitByFile, storeEarly } from "./integer-code.ts"
import { type ScheduleOptions, schedule } from "./schedule.ts"

export type CompileOptions = ScheduleOptions & AllocateOptions

/**
 * @param isHot whether the block runs often enough to be scheduled
 * @throws Error if a hot block cannot be split into vector and integer code, which would cost the interleaving
 */
export function compileBlock(code: readonly BlockInstruction[], isHot: boolean, options: CompileOptions): Allocation {
  if (!isHot) return allocate(code, options)
  if (!options.architecture.keepsIntegerOrder) return allocate(schedule(code, options), options)
  const split = splitByFile(code, options.architecture)
  if (!split) throw new Error("an instruction of a hot block uses both integer and vector registers")
  const vector = allocate(schedule(split.vector, options), options)
  const integer = allocate(storeEarly(split.integer, options.architecture, options.readOnly), options)
  if (split.vector.length === 0) return integer
  return {
    code: interleave(vector.code, integer.code),
    stores: vector.stores + integer.stores,
    reloads: vector.reloads + integer.reloads,
  }
}
