/**
 * Schedules found by search. The list scheduler's order is good, not optimal: small changes of its parameters and of the
 * urgency of single instructions find orders that a core runs a few per cent faster. A `BlockSchedule` is such a change
 * for one block, which is recognised by its contents.
 */
import type { BlockInstruction } from "./architecture.ts"
import type { VirtualOperand } from "./operands.ts"

/** Changes to the scheduler's parameters for one block. */
export interface BlockSchedule {
  /** Replaces the option of that name. */
  readonly window?: number
  /** Added to the option of that name. */
  readonly pressure?: number
  /** Replaces `LATER`. */
  readonly later?: number
  readonly shifts?: readonly UrgencyShift[]
}

/**
 * Adds to the urgency of `count` instructions from number `from` on: `amount` cycles if `seed` is 0, otherwise a
 * pseudorandom value within ±`amount` for each.
 */
export type UrgencyShift = readonly [from: number, count: number, amount: number, seed: number]

/** By `blockId`. */
export type Schedules = Readonly<Record<string, BlockSchedule>>

/** Adds the shifts to urgencies, in place. */
export function shiftUrgencies(urgency: Float64Array, shifts: readonly UrgencyShift[]): void {
  for (const [from, count, amount, seed] of shifts) {
    const random = generator(seed)
    for (let i = from; i < Math.min(from + count, urgency.length); i++)
      urgency[i] = urgency[i]! + (seed === 0 ? amount : amount * (2 * random() - 1))
  }
}

/** Xorshift. @param seed 1 … 2^32 − 1 @returns numbers from 0 to 1 */
function generator(seed: number): () => number {
  let x = Math.imul(seed, 0x9e3779b1) >>> 0 || 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    x >>>= 0
    return x / 2 ** 32
  }
}

/**
 * Identifies a block by its mnemonics and operands, except labels and the absolute numbers of virtual registers. Blocks
 * with the same identifier have the same dependencies.
 */
export function blockId(block: readonly BlockInstruction[]): string {
  let hash = 0x811c9dc5
  const numbers = new Map<number, number>()
  const mix = (value: number) => {
    hash = Math.imul(hash ^ (value | 0), 0x01000193) >>> 0
  }
  const mixOperand = (operand: VirtualOperand | undefined): void => {
    switch (operand?.kind) {
      case "virtual": {
        const known = numbers.get(operand.id) ?? numbers.size
        numbers.set(operand.id, known)
        mix(known)
        break
      }
      case "register":
        mix(-1 - operand.n)
        break
      case "memory":
        mix(operand.displacement)
        mixOperand(operand.base)
        mixOperand(operand.index)
        break
      case "immediate":
        mix(Number(operand.value))
        break
    }
  }
  for (const { form, operands } of block) {
    for (let i = 0; i < form.mnemonic.length; i++) mix(form.mnemonic.charCodeAt(i))
    for (const operand of operands) mixOperand(operand)
  }
  return `${block.length}-${hash.toString(16).padStart(8, "0")}`
}
