/**
 * arm64 cores, as `simulate.ts` needs them. Sources: Arm's software optimization guides (Neoverse N1, V1, V2, Cortex-A76);
 * for Apple's cores, published measurements of the M1's execution units. `umulh` on the A76, the M1's efficiency core and all scheduler sizes are
 * estimates.
 */

/** One instruction of a listing, classified. */
export interface Listed {
  readonly text: string
  readonly mnemonic: string
  readonly kind: "load" | "store" | "branch" | "vector" | "integer"
  /** Registers and flags (`f`) that it writes and reads. */
  readonly writes: readonly string[]
  readonly reads: readonly string[]
  /** Base register and offset of memory. */
  readonly place: string | undefined
  /** Registers that a load or store moves. */
  readonly moved: number
  readonly isVectorMove: boolean
  readonly isQuad: boolean
  /** Whether an operand is shifted by another instruction's worth of work. */
  readonly isShifted: boolean
  readonly usesFlags: boolean
}

/** A part of an instruction that a port executes. */
export interface MicroOp {
  readonly ports: readonly string[]
  readonly latency: number
  /** Cycles until the port can start another. */
  readonly busy: number
}

export interface Decoded {
  /** Dispatch slots. */
  readonly slots: number
  /** Empty for moves that renaming performs. They execute one after another. */
  readonly ops: readonly MicroOp[]
}

export type Scheduler = "integer" | "vector" | "memory"

export interface Core {
  readonly title: string
  readonly gigahertz: number
  /** Instructions dispatched and retired per cycle. */
  readonly dispatch: number
  readonly retire: number
  /** Instructions in flight. */
  readonly window: number
  readonly schedulers: Readonly<Record<Scheduler, number>>
  decode(instruction: Listed): Decoded
  /** Whether it executes SVE2. */
  readonly hasSve2?: boolean
  /** LLVM's model, and the real dispatch width, which is below the model's. Absent if LLVM has none of this core. */
  readonly llvm?: { readonly cpu: string; readonly dispatch: number }
}

const ports = (letter: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${letter}${n}`)
const microOp = (on: readonly string[], latency: number, busy = 1): MicroOp => ({ ports: on, latency, busy })
const one = (on: readonly string[], latency: number, busy = 1): Decoded => ({
  slots: 1,
  ops: [microOp(on, latency, busy)],
})

/** The scheduler that holds a micro-operation: vector ports start with `v`, memory ports with `l`. */
export const schedulerOf = ({ ports: [first] }: MicroOp): Scheduler =>
  first!.startsWith("v") ? "vector" : first!.startsWith("l") ? "memory" : "integer"

const isMultiplication = (mnemonic: string) => /^(mul|umulh|umull)$/.test(mnemonic)
const isMultiplyAdd = (mnemonic: string) => /^(madd|umaddl)$/.test(mnemonic)
const isVectorShift = (mnemonic: string) => /^(ushr|shl|sli|shrn|xtn|sshr)$/.test(mnemonic)
const isScalable = ({ text }: Listed) => /\bz\d+\.d/.test(text)

interface AppleOptions {
  readonly integers: number
  readonly flags: number
  readonly multipliers: readonly string[]
  readonly multiplyAdders: readonly string[]
  readonly vectors: number
  readonly vectorLatency: readonly [other: number, multiply: number]
  readonly loads: readonly string[]
}

/** Apple: a shifted operand is a second execution; the flags belong to some of the integer ports. */
const apple =
  (options: AppleOptions) =>
  (instruction: Listed): Decoded => {
    const { mnemonic, kind, moved } = instruction
    const [integers, vectors] = [ports("i", options.integers), ports("v", options.vectors)]
    const [other, multiply] = options.vectorLatency
    const halves = <T>(one: T): T[] => (moved === 2 && instruction.isQuad ? [one, one] : [one])
    switch (kind) {
      case "load":
        return { slots: moved, ops: halves(microOp(options.loads, instruction.isVectorMove ? 5 : 4)) }
      case "store":
        return { slots: instruction.isVectorMove ? moved : 1, ops: halves(microOp(["l0", "l1"], 1)) }
      case "branch":
        return one(integers.slice(0, 2), 1)
      case "vector": {
        if (/^(dup|fmov|ins)$/.test(mnemonic))
          return { slots: 2, ops: [microOp(options.loads, 5), microOp(vectors, 2)] }
        const isLong = /^(umull|umlal|usra|shrn|xtn|mul|umulh)/.test(mnemonic)
        return one(vectors, isLong ? multiply : other)
      }
      case "integer": {
        if (mnemonic === "mov" && !/\bw\d/.test(instruction.text)) return { slots: 1, ops: [] }
        if (isMultiplication(mnemonic)) return one(options.multipliers, 3)
        if (isMultiplyAdd(mnemonic)) return one(options.multiplyAdders, 3)
        const on = instruction.usesFlags ? integers.slice(0, options.flags) : integers
        return instruction.isShifted ? { slots: 1, ops: [microOp(on, 1), microOp(on, 1)] } : one(on, 1)
      }
    }
  }

interface NarrowOptions {
  /** Cycles for which `umulh` occupies the multiplier. */
  readonly umulh: number
}

/** Cortex-A76 and Neoverse N1: one multi-cycle integer port, which also shifts operands; one vector port that multiplies. */
const narrow =
  ({ umulh }: NarrowOptions) =>
  (instruction: Listed): Decoded => {
    const { mnemonic, kind, moved, isVectorMove } = instruction
    const [multi, loads] = [["m0"], ["l0", "l1"]]
    const integers = ["s0", "s1", ...multi]
    const vectors = ["v0", "v1"]
    switch (kind) {
      case "load": {
        const load = microOp(loads, isVectorMove ? 5 : 4)
        return { slots: moved, ops: moved === 2 ? [load, load] : [load] }
      }
      case "store":
        return {
          slots: 1,
          ops: [microOp(loads, 1, instruction.isQuad ? 2 : 1), microOp(isVectorMove ? vectors : integers, 1)],
        }
      case "branch":
        return one(["b0"], 1)
      case "vector":
        if (/^(umull|umlal)/.test(mnemonic)) return one(["v0"], 4)
        if (mnemonic === "usra") return one(["v1"], 4)
        return one(isVectorShift(mnemonic) ? ["v1"] : vectors, 2)
      case "integer":
        if (mnemonic === "mul") return one(multi, 4, 3)
        if (mnemonic === "umulh") return one(multi, 5, umulh)
        if (/^(umull|umaddl)$/.test(mnemonic)) return one(multi, 2)
        return instruction.isShifted ? one(multi, 2) : one(integers, 1)
    }
  }

interface NeoverseOptions {
  /** Single-cycle integer ports beside the two that multiply. */
  readonly singles: number
  /** Whether renaming performs moves. */
  readonly renames: boolean
}

/** Neoverse V1 and V2: two integer ports multiply and shift operands, two of four vector ports multiply, the others shift. */
const neoverse =
  ({ singles, renames }: NeoverseOptions) =>
  (instruction: Listed): Decoded => {
    const { mnemonic, kind, moved, isVectorMove } = instruction
    const multi = ["m0", "m1"]
    const integers = [...ports("s", singles), ...multi]
    const vectors = ports("v", 4)
    const [multiplying, shifting] = [
      ["v0", "v2"],
      ["v1", "v3"],
    ]
    switch (kind) {
      case "load": {
        const load = microOp(["l0", "l1", "l2"], isVectorMove ? 6 : 4)
        return { slots: moved, ops: moved === 2 ? [load, load] : [load] }
      }
      case "store":
        return {
          slots: isVectorMove ? 2 : 1,
          ops: [microOp(["l0", "l1"], 1), ...(isVectorMove ? [microOp(["v0", "v1"], 1)] : [])],
        }
      case "branch":
        return one(["b0", "b1"], 1)
      case "vector":
        if (isScalable(instruction) && /^(mul|umulh)$/.test(mnemonic))
          return { slots: 2, ops: [microOp(multiplying, 5, 2)] }
        if (/^umull[bt]$/.test(mnemonic)) return one(multiplying, 4)
        if (/^umull/.test(mnemonic)) return one(multiplying, 3)
        if (/^umlal/.test(mnemonic)) return one(multiplying, 4)
        if (mnemonic === "usra") return one(shifting, 4)
        return one(isVectorShift(mnemonic) ? shifting : vectors, 2)
      case "integer": {
        if (mnemonic === "umulh") return one(multi, 3)
        if (isMultiplication(mnemonic)) return one(multi, 2)
        if (isMultiplyAdd(mnemonic)) return one(["m0"], 2)
        if (renames && mnemonic === "mov" && !/\bw\d/.test(instruction.text)) return { slots: 1, ops: [] }
        if (instruction.isShifted) return one(multi, 2)
        const setsFlags = /^(adds|cmp|subs)$/.test(mnemonic)
        return one(setsFlags ? (singles === 2 ? integers.slice(1) : ["s0", "s1", ...multi]) : integers, 1)
      }
    }
  }

const LARGE = { dispatch: 8, retire: 8 }

const MICRO_OP_CACHE_CORES = {
  v1: {
    ...LARGE,
    title: "Neoverse V1",
    gigahertz: 2.6,
    window: 256,
    schedulers: { integer: 80, vector: 56, memory: 48 },
    decode: neoverse({ singles: 2, renames: false }),
    llvm: { cpu: "neoverse-v1", dispatch: 8 },
  },
  v2: {
    ...LARGE,
    title: "Neoverse V2",
    gigahertz: 3,
    window: 320,
    schedulers: { integer: 120, vector: 56, memory: 64 },
    decode: neoverse({ singles: 4, renames: true }),
    hasSve2: true,
    llvm: { cpu: "neoverse-v2", dispatch: 8 },
  },
} as const satisfies Readonly<Record<string, Core>>

/** A core that decodes every instruction, because the loop does not fit into its micro-op cache. */
const decoding = ({ llvm: _, ...core }: Core, dispatch: number): Core => ({
  ...core,
  title: `${core.title}, decoding ${dispatch} per cycle`,
  dispatch,
})

/** Cores by the name that `CORE` takes. */
export const CORES: Readonly<Record<string, Core>> = {
  m1: {
    title: "Apple M1 (performance)",
    gigahertz: 3.2,
    dispatch: 8,
    retire: 16,
    window: 600,
    schedulers: { integer: 140, vector: 140, memory: 48 },
    decode: apple({
      integers: 6,
      flags: 3,
      multipliers: ["i5", "i4"],
      multiplyAdders: ["i5"],
      vectors: 4,
      vectorLatency: [2, 3],
      loads: ["l1", "l2", "l3"],
    }),
  },
  "m1-e": {
    title: "Apple M1 (efficiency)",
    gigahertz: 2.06,
    dispatch: 4,
    retire: 4,
    window: 100,
    schedulers: { integer: 40, vector: 32, memory: 24 },
    decode: apple({
      integers: 3,
      flags: 3,
      multipliers: ["i2"],
      multiplyAdders: ["i2"],
      vectors: 2,
      vectorLatency: [3, 3],
      loads: ["l0", "l1"],
    }),
  },
  n1: {
    title: "Neoverse N1",
    gigahertz: 3,
    dispatch: 4,
    retire: 8,
    window: 128,
    schedulers: { integer: 48, vector: 32, memory: 24 },
    decode: narrow({ umulh: 3 }),
    llvm: { cpu: "neoverse-n1", dispatch: 4 },
  },
  a76: {
    title: "Cortex-A76",
    gigahertz: 2.4,
    dispatch: 4,
    retire: 8,
    window: 128,
    schedulers: { integer: 48, vector: 32, memory: 24 },
    decode: narrow({ umulh: 4 }),
  },
  ...MICRO_OP_CACHE_CORES,
  "v1-decoding": decoding(MICRO_OP_CACHE_CORES.v1, 5),
  "v2-decoding": decoding(MICRO_OP_CACHE_CORES.v2, 6),
}
