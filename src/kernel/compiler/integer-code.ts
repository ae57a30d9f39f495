/** Integer code beside vector code: separating the two, moving stores, and merging the two streams again. */
import type { Architecture, BlockInstruction } from "./architecture.ts"
import { memoryKey } from "./memory-key.ts"
import type { VirtualOperand } from "./operands.ts"

/** A block's code by register file, each in its order. */
export interface SplitCode {
  readonly vector: BlockInstruction[]
  readonly integer: BlockInstruction[]
}

/**
 * Splits a block into vector and integer code.
 * @returns undefined if an instruction uses registers of both files
 */
export function splitByFile(code: readonly BlockInstruction[], architecture: Architecture): SplitCode | undefined {
  const split: SplitCode = { vector: [], integer: [] }
  for (const instruction of code) {
    let isVector = false
    let isInteger = false
    for (const operand of instruction.operands) {
      if (operand.kind === "memory") isInteger ||= operand.base?.kind === "virtual" || operand.index?.kind === "virtual"
      else if (operand.kind === "virtual" || operand.kind === "register") {
        if (architecture.fileOf(operand.class) === "integer") isInteger = true
        else isVector = true
      }
    }
    if (isVector && isInteger) return undefined
    if (isVector) split.vector.push(instruction)
    else split.integer.push(instruction)
  }
  return split
}

/** Moves each plain store up to where its value is computed, so that the value need not be held until the block's end. */
export function storeEarly(
  code: readonly BlockInstruction[],
  architecture: Architecture,
  readOnly: ReadonlySet<number>,
): BlockInstruction[] {
  /** The last instruction that writes a value, and the last that reads or writes a place in memory. */
  const written = new Map<number, number>()
  const accessed = new Map<number, number>()
  /** Stores by the instruction that they follow. */
  const storesAfter = new Map<number, BlockInstruction[]>()
  const stays: boolean[] = []
  const writer = (operand: VirtualOperand | undefined) =>
    operand?.kind === "virtual" ? (written.get(operand.id) ?? -1) : -1
  for (let i = 0; i < code.length; i++) {
    const instruction = code[i]!
    const { operands } = instruction
    const store = architecture.storeOf(instruction)
    if (store) {
      const [to, from] = [operands[store.place]!, operands[store.value]!]
      const key = to.kind === "memory" && from.kind === "virtual" ? memoryKey(to, readOnly) : undefined
      if (to.kind === "memory" && key !== undefined) {
        const at = Math.max(0, accessed.get(key) ?? -1, writer(from), writer(to.base), writer(to.index))
        const others = storesAfter.get(at)
        if (others) others.push(instruction)
        else storesAfter.set(at, [instruction])
        accessed.set(key, at)
        continue
      }
    }
    stays[i] = true
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "virtual" && architecture.accessOf(instruction, k).write) written.set(operand.id, i)
      if (operand.kind !== "memory") continue
      const key = memoryKey(operand, readOnly)
      if (key !== undefined) accessed.set(key, i)
    }
  }
  const order: BlockInstruction[] = []
  for (let i = 0; i < code.length; i++) {
    if (stays[i]) order.push(code[i]!)
    const stores = storesAfter.get(i)
    if (stores) order.push(...stores)
  }
  return order
}

/** Merges two streams: each keeps its order, and the second is spread evenly over the first. */
export function interleave<T>(first: readonly T[], second: readonly T[]): T[] {
  const both: T[] = []
  let taken = 0
  first.forEach((x, i) => {
    both.push(x)
    for (const until = Math.round(((i + 1) * second.length) / first.length); taken < until; taken++)
      both.push(second[taken]!)
  })
  return both
}
