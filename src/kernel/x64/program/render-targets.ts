/** The render targets: vector width, representation of elements, core model, and nonces in integer registers. */

import type { CoreModel } from "../../compiler/architecture.ts"
import { rax, rbx, rcx, rdi, rdx, rsi, rsp } from "../assembler/operands.ts"
import { sapphireRapids, zen3 } from "../compiler/core-models.ts"
import type { BatchOps } from "../ops/batch-ops.ts"
import { IfmaOps } from "../ops/ifma-ops.ts"
import { INTEGER_STATE_BYTES, IntegerOps } from "../ops/integer-ops.ts"
import { LimbOps } from "../ops/limb-ops.ts"
import { vectorStateBytes } from "../ops/state-memory.ts"
import { ENTRY_POINTER, Steps } from "../ops/steps.ts"
import { TogetherOps } from "../ops/together-ops.ts"
import { Integers } from "../registers/integers.ts"
import { Vectors } from "../registers/vectors.ts"
import { type CpuIdentity, isAmd } from "../runtime/cpuid.ts"
import { STATE_OFFSET } from "./context.ts"
import type { RenderTarget } from "./render.ts"

interface Recipe {
  readonly bits: 256 | 512
  readonly core: CoreModel
  /** Number of live vector registers from which the scheduler prefers to free registers. */
  readonly pressure: number
  /** Vectors of nonces per batch. */
  readonly vectors: number
  /** Nonces in integer registers per vector. */
  readonly integers: number
  /** @param stateOffset bytes from `STATE_POINTER` to the vector's state */
  ops(vectors: Vectors, steps: Steps, stateOffset: number): BatchOps<unknown, unknown>
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** The allocator's integer registers: rsi, rcx, rbx and rdi hold pointers and counts, rdx is an operand of `mulx`. */
const INTEGERS = range(16).filter(n => ![rdx, rcx, rbx, rsp, rsi, rdi].some(other => other.n === n))

function vectorTarget({ bits, core, pressure, vectors, integers, ops }: Recipe): RenderTarget {
  return {
    vectorBytes: bits / 8,
    routine: {
      core,
      window: 150,
      pressure: { integer: Number.POSITIVE_INFINITY, vector: pressure },
      readOnly: new Set([ENTRY_POINTER.n]),
      registers: { integer: INTEGERS, vector: range(bits === 512 ? 32 : 16) },
    },
    ops: routine => {
      const vectorSet = new Vectors(routine, bits)
      const steps = new Steps(vectorSet, STATE_OFFSET)
      const integerSet = new Integers(routine)
      const group = (offset: number) => {
        const vector = ops(vectorSet, steps, offset)
        const integerStates = offset + vector.stateBytes
        const integerOps = range(integers).map(
          i => new IntegerOps(integerSet, steps, integerStates + i * INTEGER_STATE_BYTES),
        )
        return new TogetherOps([vector, ...integerOps], steps, false)
      }
      const first = group(0)
      const groups = range(vectors).map(g => (g === 0 ? first : group(g * first.stateBytes)))
      const batch = new TogetherOps(groups, steps, true)
      const { stateBytes } = batch
      if (integers > 0) {
        const one = new IntegerOps(integerSet, steps, vectorStateBytes(bits / 8), batch)
        return { batch, groups, one, steps: [steps], stateBytes }
      }
      // Without integer nonces, the single state follows the batch's states.
      const singleSteps = new Steps(vectorSet, STATE_OFFSET)
      const one = new IntegerOps(integerSet, singleSteps, stateBytes)
      return { batch, groups, one, steps: [steps, singleSteps], stateBytes: stateBytes + one.stateBytes }
    },
  }
}

/** @param nonces nonces per batch: the S-box of one leaves the multiplier idle */
function scalarTarget(nonces: number, hasBmi2: boolean): RenderTarget {
  return {
    // There are no vectors; 8 bytes keep the spill area small.
    vectorBytes: 8,
    routine: {
      // Integer code keeps its order, so no core model applies.
      core: zen3,
      window: 150,
      pressure: { integer: Number.POSITIVE_INFINITY, vector: Number.POSITIVE_INFINITY },
      readOnly: new Set([ENTRY_POINTER.n]),
      registers: { integer: hasBmi2 ? INTEGERS : INTEGERS.filter(n => n !== rax.n), vector: [] },
    },
    ops: routine => {
      const integers = new Integers(routine, hasBmi2)
      const steps = new Steps(integers, STATE_OFFSET)
      const groups = range(nonces).map(i => new IntegerOps(integers, steps, i * INTEGER_STATE_BYTES))
      const batch = new TogetherOps(groups, steps, true)
      const one = new IntegerOps(integers, steps, 0, batch)
      return { batch, groups, one, steps: [steps], stateBytes: batch.stateBytes }
    },
  }
}

const limbOps = (vectors: Vectors, steps: Steps, stateOffset: number) => new LimbOps(vectors, steps, stateOffset)
const ifmaOps = (vectors: Vectors, steps: Steps, stateOffset: number) => new IfmaOps(vectors, steps, stateOffset)

const avx2Recipe = { bits: 256, core: zen3, pressure: 14, vectors: 1, integers: 1, ops: limbOps } as const

/** Two vectors per batch: the S-box of one leaves the multipliers idle for longer than a core can look ahead. */
const wide = { bits: 512, core: sapphireRapids, pressure: 29, vectors: 2, integers: 1 } as const

/** The recipe of each engine's kernel; `avx512-limbs` is for CPUs with AVX-512 but without IFMA. */
const RECIPES = {
  avx512: { ...wide, ops: ifmaOps },
  "avx512-limbs": { ...wide, ops: limbOps },
  avx2: avx2Recipe,
} as const satisfies Record<string, Recipe>

type VectorEngine = keyof typeof RECIPES

export type X64Engine = VectorEngine | "scalar"

/** @param integers nonces in integer registers per vector */
export const renderTargetOf = (engine: VectorEngine, integers: number): RenderTarget =>
  vectorTarget({ ...RECIPES[engine], integers })

export const avx2 = renderTargetOf("avx2", 1)
export const avx512 = renderTargetOf("avx512", 1)
export const avx512Limbs = renderTargetOf("avx512-limbs", 1)
/** For CPUs without AVX2: without and with BMI2. */
export const scalar = scalarTarget(2, false)
export const scalarBmi2 = scalarTarget(2, true)

/** A kernel of an engine, for some cores the engine's fastest. */
export interface Variant {
  readonly engine: X64Engine
  readonly target: RenderTarget
  /** Whether it may be the engine's fastest kernel on this CPU. */
  suits(cpu: CpuIdentity): boolean
}

const ZEN_5 = 0x1a

/**
 * All kernels by name. A kernel with its engine's name is that engine's default and suits every CPU; docs/experiments.md has
 * the measurements behind the others.
 */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  avx512: { engine: "avx512", target: avx512, suits: () => true },
  "avx512:2": { engine: "avx512", target: renderTargetOf("avx512", 2), suits: cpu => !isAmd(cpu) },
  "avx512-limbs": { engine: "avx512-limbs", target: avx512Limbs, suits: () => true },
  "avx512-limbs:0": { engine: "avx512-limbs", target: renderTargetOf("avx512-limbs", 0), suits: cpu => !isAmd(cpu) },
  avx2: { engine: "avx2", target: avx2, suits: () => true },
  "avx2:2": {
    engine: "avx2",
    target: renderTargetOf("avx2", 2),
    suits: cpu => !isAmd(cpu) || cpu.family >= ZEN_5,
  },
  scalar: { engine: "scalar", target: scalar, suits: () => true },
  "scalar:bmi2": { engine: "scalar", target: scalarBmi2, suits: ({ features }) => features.has("bmi2") },
}

/** @returns the names of an engine's kernels that suit the CPU, its default first */
export const variantsFor = (engine: string, cpu: CpuIdentity): string[] =>
  Object.entries(VARIANTS).flatMap(([name, variant]) => (variant.engine === engine && variant.suits(cpu) ? [name] : []))
