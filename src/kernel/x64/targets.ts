/** What there is to render for: a vector width, a representation, a core to schedule for. */
import { type Memory, memory, rdi } from "./assembler/operands.ts"
import { zen3 } from "./compiler/machine.ts"
import type { Routine, RoutineOptions } from "./compiler/routine.ts"
import { type ContextLayout, contextLayout } from "./context.ts"
import { type LimbElement, LimbOps, type LimbSum } from "./limb-ops.ts"
import { BATCH_POINTER, type Target } from "./render.ts"
import { ROW_POINTER } from "./steps.ts"
import { Vectors } from "./vectors.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** rax and rdx are free for values; the others point or count. */
const INTEGERS = [0, 2]

const spillSlot =
  (layout: ContextLayout, vectorBytes: number) =>
  (n: number): Memory =>
    memory(rdi, layout.spill + n * vectorBytes)

const avx2Routine: RoutineOptions = {
  machine: zen3,
  window: 60,
  pressure: 14,
  readOnly: new Set([ROW_POINTER.n, BATCH_POINTER.n]),
  registers: { integer: INTEGERS, vector: range(16), mask: [] },
  spillSlot: spillSlot(contextLayout(32), 32),
}

export const avx2: Target<LimbElement, LimbSum> = {
  routine: avx2Routine,
  plan: { internalBatch: 1 },
  vectors: (routine: Routine) => new Vectors(routine, 256),
  ops: (vectors, steps, layout) => new LimbOps(vectors, steps, layout.state),
}
