/** The recipes of the kernels: lane sets that are combined, and the core model that the code is scheduled for. */
import type { CoreModel } from "../compiler/architecture.ts"
import type { RoutineOptions } from "../compiler/recorder.ts"
import { narrowCore, scalableCore, wideCore } from "./compiler/core-models.ts"
import { STATE_OFFSET } from "./context.ts"
import { IntegerOps } from "./integer-ops.ts"
import type { LaneOps } from "./lane-set.ts"
import { NeonOps } from "./neon-ops.ts"
import { INTEGERS, POOL, TABLE_POINTER, VECTORS } from "./registers.ts"
import type { Steps } from "./steps.ts"
import { TogetherOps } from "./together-ops.ts"

/**
 * `word`: one nonce in integer registers. `neon`: two nonces in vector registers, multiplied by 32-bit limbs. `sve2`: two
 * in vector registers, multiplied by words.
 */
export type LaneSetKind = "word" | "neon" | "sve2"

export interface Recipe {
  /** In the order of a batch's nonces: vectors before words. */
  readonly sets: readonly LaneSetKind[]
  readonly core: CoreModel
  /** See `IntegerOptions`. */
  readonly isShifted: boolean
  /** See `ScheduleOptions`. */
  readonly window: number
}

/** Recipes by kernel name. */
export const RECIPES = {
  "arm64-sve2": { sets: ["sve2", "word", "word"], core: scalableCore, isShifted: true, window: 400 },
  "arm64-mixed": { sets: ["neon", "word", "word", "word"], core: wideCore, isShifted: true, window: 300 },
  "arm64-mixed-narrow": { sets: ["neon", "neon", "word", "word"], core: narrowCore, isShifted: true, window: 250 },
  "arm64-neon": { sets: ["neon", "neon"], core: narrowCore, isShifted: true, window: 200 },
  "arm64-two": { sets: ["word", "word"], core: wideCore, isShifted: false, window: 200 },
  arm64: { sets: ["word"], core: wideCore, isShifted: true, window: 200 },
} as const satisfies Record<string, Recipe>

export type Arm64KernelName = keyof typeof RECIPES

/** Whether the kernel uses SVE2. */
export const needsSve2 = (name: Arm64KernelName): boolean => RECIPES[name].sets.some(kind => kind === "sve2")

/** Computes on a whole batch of nonces. */
export function opsOf({ sets, isShifted }: Recipe, steps: Steps): LaneOps<unknown, unknown> {
  let offset = STATE_OFFSET
  const each = sets.map((kind): LaneOps<unknown, unknown> => {
    const ops =
      kind === "word"
        ? new IntegerOps(steps, offset, { isShifted })
        : new NeonOps(steps, offset, { isScalable: kind === "sve2" })
    offset += ops.stateBytes
    return ops
  })
  return new TogetherOps(each, steps)
}

export function routineOptions({ core, window }: Recipe): Omit<RoutineOptions, "spillLocation"> {
  return {
    core,
    window,
    pressure: { integer: INTEGERS.length - 3, vector: VECTORS.length - 3 },
    registers: { integer: INTEGERS, vector: VECTORS },
    readOnly: new Set([TABLE_POINTER.n, POOL.n]),
  }
}
