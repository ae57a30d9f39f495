/** What there is to render for: a vector width, a representation, a core to schedule for. */
import { type Memory, memory, rdi } from "./assembler/operands.ts"
import { sapphireRapids, zen3 } from "./compiler/machine.ts"
import type { Routine, RoutineOptions } from "./compiler/routine.ts"
import { type ContextLayout, contextLayout } from "./context.ts"
import { type IfmaElement, IfmaOps, type IfmaSum } from "./ifma-ops.ts"
import { type LimbElement, LimbOps, type LimbSum } from "./limb-ops.ts"
import { type Both, PairedOps } from "./paired-ops.ts"
import { BATCH_POINTER, type Target } from "./render.ts"
import { ROW_POINTER } from "./steps.ts"
import { Vectors } from "./vectors.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** rax is free for values; the others point or count. */
const INTEGERS = [0]

/** Pointers through which nothing is written that is read again. */
const READ_ONLY = new Set([ROW_POINTER.n, BATCH_POINTER.n])

const spillSlot =
  (layout: ContextLayout, vectorBytes: number) =>
  (n: number): Memory =>
    memory(rdi, layout.spill + n * vectorBytes)

export const avx2: Target<LimbElement, LimbSum> = {
  routine: {
    machine: zen3,
    window: 150,
    pressure: 14,
    readOnly: READ_ONLY,
    registers: { integer: INTEGERS, vector: range(16), mask: [] },
    spillSlot: spillSlot(contextLayout(32), 32),
  },
  streams: 1,
  vectors: (routine: Routine) => new Vectors(routine, 256),
  ops: (vectors, steps) => new LimbOps(vectors, steps),
}

const avx512Routine: RoutineOptions = {
  machine: sapphireRapids,
  window: 150,
  pressure: 29,
  readOnly: READ_ONLY,
  registers: { integer: INTEGERS, vector: range(32), mask: [] },
  spillSlot: spillSlot(contextLayout(64, 2), 64),
}

/** 16 nonces at a time: one vector's S-box leaves the multipliers idle for longer than a core can look ahead. */
export const avx512: Target<Both<IfmaElement>, Both<IfmaSum>> = {
  routine: avx512Routine,
  streams: 2,
  vectors: (routine: Routine) => new Vectors(routine, 512),
  ops: (vectors, steps) => {
    const one = new IfmaOps(vectors, steps)
    return new PairedOps([one, new IfmaOps(vectors, steps, one.stateBytes)], steps)
  },
}

/** CPUs with AVX-512 but without IFMA. */
export const avx512Limbs: Target<Both<LimbElement>, Both<LimbSum>> = {
  routine: avx512Routine,
  streams: 2,
  vectors: (routine: Routine) => new Vectors(routine, 512),
  ops: (vectors, steps) => {
    const one = new LimbOps(vectors, steps)
    return new PairedOps([one, new LimbOps(vectors, steps, one.stateBytes)], steps)
  },
}
