/**
 * The cores that kernels are scheduled for: latencies, and ports by kind. Approximate figures suffice, because all these
 * cores execute out of order.
 */
import type { CoreModel } from "../../compiler/architecture.ts"
import type { Instruction } from "./architecture.ts"

const PORTS = [
  "issue",
  "integer",
  "flags",
  "multiplier",
  "vector",
  "vectorMultiplier",
  "vectorShift",
  "load",
  "store",
] as const
type Port = (typeof PORTS)[number]

interface Cost {
  readonly latency: number
  /** Ports that it occupies beside `issue`, and for how many starts. */
  readonly takes: readonly (readonly [Port, number])[]
}

/** Numbers of ports by kind, and latencies in cycles. */
interface Numbers {
  readonly name: string
  /** Maximum instructions issued per cycle. */
  readonly width: number
  readonly integers: number
  readonly flags: number
  readonly multipliers: number
  /** Cycles for which `mul` and `umulh` occupy a multiplier. */
  readonly multiply: number
  readonly multiplyLatency: number
  readonly vectors: number
  readonly vectorMultipliers: number
  readonly vectorShifters: number
  readonly vectorLatency: number
  readonly vectorMultiplyLatency: number
}

const VECTOR_MULTIPLICATION = /^(umull|umlal)/
/** A product of 64-bit lanes has two parts. */
const WIDE_VECTOR_MULTIPLICATION = /^(mul|umulh)$/
const VECTOR_SHIFT = /^(ushr|usra|shl|sli|shrn|xtn)/

function costOf({ form }: Instruction, numbers: Numbers): Cost {
  const { mnemonic, syntax } = form
  if (/^(ldr|ldp)/.test(mnemonic)) return { latency: 4, takes: [["load", 1]] }
  if (/^(str|stp)/.test(mnemonic)) return { latency: 1, takes: [["store", 1]] }
  if (/\b[VDZ]d/.test(syntax)) {
    const { vectorLatency, vectorMultiplyLatency } = numbers
    const all = ["vector", 1] as const
    if (WIDE_VECTOR_MULTIPLICATION.test(mnemonic))
      return { latency: vectorMultiplyLatency + 1, takes: [all, ["vectorMultiplier", 2]] }
    if (VECTOR_MULTIPLICATION.test(mnemonic))
      return { latency: vectorMultiplyLatency, takes: [all, ["vectorMultiplier", 1]] }
    if (VECTOR_SHIFT.test(mnemonic)) {
      const latency = mnemonic === "usra" ? vectorMultiplyLatency : vectorLatency
      return { latency, takes: [all, ["vectorShift", 1]] }
    }
    return { latency: vectorLatency, takes: [all] }
  }
  const any = ["integer", 1] as const
  if (mnemonic === "mul" || mnemonic === "umulh")
    return { latency: numbers.multiplyLatency, takes: [any, ["multiplier", numbers.multiply]] }
  if (/^(umull|umaddl)/.test(mnemonic)) return { latency: 3, takes: [any, ["multiplier", 1]] }
  if (form.flags.read || form.flags.write) return { latency: 1, takes: [any, ["flags", 1]] }
  return { latency: syntax.includes("lsr #i") ? 2 : 1, takes: [any] }
}

function coreModel(numbers: Numbers): CoreModel {
  const capacity: Record<Port, number> = {
    issue: numbers.width,
    integer: numbers.integers,
    flags: numbers.flags,
    multiplier: numbers.multipliers,
    vector: numbers.vectors,
    vectorMultiplier: numbers.vectorMultipliers,
    vectorShift: numbers.vectorShifters,
    load: 3,
    store: 2,
  }
  const costs = new Map<string, Cost>()
  const cost = (instruction: Instruction): Cost => {
    const { syntax } = instruction.form
    let known = costs.get(syntax)
    if (!known) costs.set(syntax, (known = costOf(instruction, numbers)))
    return known
  }
  return {
    name: numbers.name,
    capacity: PORTS.map(port => capacity[port]),
    portsOf: (instruction: Instruction) => [
      [PORTS.indexOf("issue"), 1],
      ...cost(instruction).takes.map(([port, starts]) => [PORTS.indexOf(port), starts] as const),
    ],
    latencyOf: (instruction: Instruction) => cost(instruction).latency,
  }
}

/** Apple M1 and later: eight instructions per cycle, two multipliers, four vector pipes that all multiply and shift. */
export const wideCore = coreModel({
  name: "wide",
  width: 8,
  integers: 6,
  flags: 3,
  multipliers: 2,
  multiply: 1,
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
  multipliers: 1,
  multiply: 3,
  multiplyLatency: 4,
  vectors: 2,
  vectorMultipliers: 1,
  vectorShifters: 1,
  vectorLatency: 2,
  vectorMultiplyLatency: 4,
})

/** Neoverse V2 and similar cores with SVE2: of four vector pipes two multiply and the other two shift. */
export const scalableCore = coreModel({
  name: "scalable",
  width: 8,
  integers: 6,
  flags: 4,
  multipliers: 2,
  multiply: 1,
  multiplyLatency: 3,
  vectors: 4,
  vectorMultipliers: 2,
  vectorShifters: 2,
  vectorLatency: 2,
  vectorMultiplyLatency: 4,
})
