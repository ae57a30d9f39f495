/**
 * The scheduler's core models: latencies, and for each kind of port the cycles that an instruction occupies one, divided
 * by the number of ports. Approximate figures suffice, because all these cores execute out of order.
 */
import type { Instruction } from "./block.ts"

export type Port = "integer" | "flags" | "multiplier" | "vector" | "vectorMultiplier" | "vectorShift" | "memory"

export interface Cost {
  readonly latency: number
  /** Cycles for which the instruction occupies all ports of a kind. */
  readonly takes: readonly (readonly [Port, number])[]
}

export interface CoreModel {
  readonly name: string
  /** Maximum instructions issued per cycle. */
  readonly width: number
  cost(instruction: Instruction): Cost
}

/** Numbers of ports by kind, and latencies in cycles. */
interface Numbers {
  readonly name: string
  readonly width: number
  readonly integers: number
  readonly flags: number
  /** Cycles for which `mul` and `umulh` occupy a multiplier, divided by the number of multipliers. */
  readonly multiply: number
  readonly multiplyLatency: number
  readonly vectors: number
  readonly vectorMultipliers: number
  readonly vectorShifters: number
  readonly vectorLatency: number
  readonly vectorMultiplyLatency: number
}

const VECTOR_MULTIPLICATION = /^(umull|umlal)/
const VECTOR_SHIFT = /^(ushr|usra|shl|sli|shrn|xtn)/

function coreModel(numbers: Numbers): CoreModel {
  const { name, width } = numbers
  const costs = new Map<string, Cost>()
  const costOf = ({ form }: Instruction): Cost => {
    const { mnemonic, syntax } = form
    if (/^(ldr|ldp)/.test(mnemonic)) return { latency: 4, takes: [["memory", 1 / 3]] }
    if (/^(str|stp)/.test(mnemonic)) return { latency: 1, takes: [["memory", 1 / 2]] }
    if (/\b[VD]d/.test(syntax)) {
      const { vectors, vectorMultipliers, vectorShifters, vectorLatency, vectorMultiplyLatency } = numbers
      const all = ["vector", 1 / vectors] as const
      if (VECTOR_MULTIPLICATION.test(mnemonic))
        return { latency: vectorMultiplyLatency, takes: [all, ["vectorMultiplier", 1 / vectorMultipliers]] }
      if (VECTOR_SHIFT.test(mnemonic))
        return {
          latency: mnemonic === "usra" ? vectorMultiplyLatency : vectorLatency,
          takes: [all, ["vectorShift", 1 / vectorShifters]],
        }
      return { latency: vectorLatency, takes: [all] }
    }
    const any = ["integer", 1 / numbers.integers] as const
    if (mnemonic === "mul" || mnemonic === "umulh")
      return { latency: numbers.multiplyLatency, takes: [any, ["multiplier", numbers.multiply]] }
    if (/^(umull|umaddl)/.test(mnemonic)) return { latency: 3, takes: [any, ["multiplier", 1 / 2]] }
    if (form.flags.read || form.flags.write) return { latency: 1, takes: [any, ["flags", 1 / numbers.flags]] }
    return { latency: syntax.includes("lsr #i") ? 2 : 1, takes: [any] }
  }
  return {
    name,
    width,
    cost: instruction => {
      const { syntax } = instruction.form
      let cost = costs.get(syntax)
      if (!cost) costs.set(syntax, (cost = costOf(instruction)))
      return cost
    },
  }
}

/** Apple M1 and later: eight instructions per cycle, two multipliers, four vector pipes that all multiply and shift. */
export const wideCore = coreModel({
  name: "wide",
  width: 8,
  integers: 6,
  flags: 3,
  multiply: 1 / 2,
  multiplyLatency: 3,
  vectors: 4,
  vectorMultipliers: 4,
  vectorShifters: 4,
  vectorLatency: 2,
  vectorMultiplyLatency: 3,
})

/**
 * Neoverse N1, Cortex-A76 and similar cores: four instructions per cycle, one slow multiplier, two vector pipes of which
 * one multiplies.
 */
export const narrowCore = coreModel({
  name: "narrow",
  width: 4,
  integers: 3,
  flags: 3,
  multiply: 3,
  multiplyLatency: 4,
  vectors: 2,
  vectorMultipliers: 1,
  vectorShifters: 1,
  vectorLatency: 2,
  vectorMultiplyLatency: 4,
})
