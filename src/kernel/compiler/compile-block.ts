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
import { blockId, type Schedules } from "./block-schedule.ts"
import { interleave, splitByFile, storeEarly } from "./integer-code.ts"
import { type ScheduleOptions, schedule } from "./schedule.ts"

export interface CompileOptions extends ScheduleOptions, AllocateOptions {
  /** Changes to the schedules of single blocks. */
  readonly schedules?: Schedules
  /** Orders that are known already, and those found: the numbers of a block's instructions by block and changes. */
  readonly orders?: Map<string, readonly number[]>
}

export interface CompiledBlock extends Allocation {
  /** The vector code of a hot block. */
  readonly vectors?: { readonly id: string; readonly instructions: number }
}

/**
 * @param isHot whether the block runs often enough to be scheduled
 * @throws Error if a hot block cannot be split into vector and integer code, which would cost the interleaving
 */
export function compileBlock(
  code: readonly BlockInstruction[],
  isHot: boolean,
  options: CompileOptions,
): CompiledBlock {
  if (!isHot) return allocate(code, options)
  if (!options.architecture.keepsIntegerOrder) return allocate(schedule(code, options), options)
  const split = splitByFile(code, options.architecture)
  if (!split) throw new Error("an instruction of a hot block uses both integer and vector registers")
  const integer = allocate(storeEarly(split.integer, options.architecture, options.readOnly), options)
  if (split.vector.length === 0) return integer
  const id = blockId(split.vector)
  const vector = allocate(ordered(split.vector, id, options), options)
  return {
    code: interleave(vector.code, integer.code),
    stores: vector.stores + integer.stores,
    reloads: vector.reloads + integer.reloads,
    vectors: { id, instructions: split.vector.length },
  }
}

function ordered(block: readonly BlockInstruction[], id: string, options: CompileOptions): BlockInstruction[] {
  const { orders, schedules } = options
  const changes = schedules?.[id]
  if (!orders) return schedule(block, options, changes)
  const key = `${id} ${JSON.stringify(changes)}`
  const known = orders.get(key)
  if (known) return known.map(i => block[i]!)
  const order = schedule(block, options, changes)
  const numbers = new Map(block.map((instruction, i) => [instruction, i]))
  orders.set(
    key,
    order.map(instruction => numbers.get(instruction)!),
  )
  return order
}
