/**
 * Vector code and integer code of one block that have nothing to do with each other, in one stream: each keeps its order,
 * and the second is spread evenly over the first, so that it runs in the units which that leaves idle.
 */
import type { VirtualOperand } from "../x64/assembler/operands.ts"
import { type BlockInstruction, fileOf, memoryKey } from "./block.ts"

/** A block's code by what it works on. */
interface Parted {
  readonly vector: BlockInstruction[]
  readonly integer: BlockInstruction[]
}

/** @returns undefined where the block has not both, or where they share a value */
export function part(code: readonly BlockInstruction[]): Parted | undefined {
  const parted: Parted = { vector: [], integer: [] }
  for (const instruction of code) {
    let isVector = false
    let isInteger = false
    for (const operand of instruction.operands) {
      if (operand.kind === "memory") isInteger ||= operand.base?.kind === "virtual" || operand.index?.kind === "virtual"
      else if (operand.kind === "virtual" || operand.kind === "register") {
        if (fileOf(operand.class) === "integer") isInteger = true
        else isVector = true
      }
    }
    if (isVector && isInteger) return undefined
    if (isVector) parted.vector.push(instruction)
    else parted.integer.push(instruction)
  }
  return parted.vector.length > 0 && parted.integer.length > 0 ? parted : undefined
}

/** Moves each plain store up to where its value is made, so that the value need not be held until the block's end. */
export function storeEarly(code: readonly BlockInstruction[], readOnly: ReadonlySet<number>): BlockInstruction[] {
  /** The last instruction that writes a value, and that reads or writes a place in memory. */
  const written = new Map<number, number>()
  const accessed = new Map<number, number>()
  /** Stores by the instruction that they are to follow. */
  const behind = new Map<number, BlockInstruction[]>()
  const stays: boolean[] = []
  const writer = (operand: VirtualOperand | undefined) =>
    operand?.kind === "virtual" ? (written.get(operand.id) ?? -1) : -1
  for (let i = 0; i < code.length; i++) {
    const { row, operands } = code[i]!
    const [to, from] = operands
    const key = to?.kind === "memory" && from?.kind === "virtual" ? memoryKey(to, readOnly) : undefined
    if (row.mnemonic === "mov" && to?.kind === "memory" && key !== undefined) {
      const at = Math.max(0, accessed.get(key) ?? -1, writer(from), writer(to.base), writer(to.index))
      const others = behind.get(at)
      if (others) others.push(code[i]!)
      else behind.set(at, [code[i]!])
      accessed.set(key, at)
      continue
    }
    stays[i] = true
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "virtual" && row.operands[k]!.write) written.set(operand.id, i)
      if (operand.kind !== "memory") continue
      const place = memoryKey(operand, readOnly)
      if (place !== undefined) accessed.set(place, i)
    }
  }
  const order: BlockInstruction[] = []
  for (let i = 0; i < code.length; i++) {
    if (stays[i]) order.push(code[i]!)
    const stores = behind.get(i)
    if (stores) order.push(...stores)
  }
  return order
}

/** All of both, in their orders, evenly. */
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
