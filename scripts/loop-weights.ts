/**
 * How often one thread executes each instruction of a compiled search kernel for one nonce, from its loops. Compilers
 * keep the loops of the rendered text: one around all nonces, in rolled code one around the phases, and inside one for
 * each step.
 */

import { phasesOf, rollPhases } from "../src/kernel/phases.ts"
import { hashElement } from "../src/kernel/search.ts"
import { WIDTH } from "../src/pow/constants.ts"

export interface Located {
  /** Position in the code, ascending. */
  readonly at: number
  /** Position that a branch jumps to. */
  readonly target: number | undefined
  /** Whether it is a wide product, which identifies the loop of a step. */
  readonly isWide: boolean
}

interface Loop {
  readonly from: number
  readonly to: number
}

const phases = phasesOf(hashElement, WIDTH)

/** Iterations of each phase's loop, in order of the text. Phases of one iteration are rendered without a loop. */
const UNROLLED = phases.map(({ table }) => table.length).filter(trips => trips > 1)

/** The loops of rolled code; the last phase follows them. */
const { main, others, groups } = rollPhases(phases.slice(0, -1))

/** Iterations of each step's loop over all groups, by wide products of the step: the external round has the most. */
const ROLLED = [
  main.table.length,
  ...others.map(({ table }, i) => table.length * groups.filter(({ next }) => next === i).length),
]

/**
 * Returns the executions per nonce of each instruction.
 * @throws Error if the loops are not those of the rendered text
 */
export function weightsOf(instructions: readonly Located[], rolled: boolean): number[] {
  const loops = loopsOf(instructions)
  const isInside = (a: Loop, b: Loop) => a !== b && a.from >= b.from && a.to <= b.to
  const inner = loops.filter(loop => !loops.some(other => isInside(other, loop)))
  const around = loops.filter(loop => loops.some(other => isInside(other, loop)))
  const trips = rolled ? ROLLED : UNROLLED
  // The loops around the steps' loops: that of the nonces, and in rolled code that of the groups.
  const groupLoops = around.filter(loop => around.some(other => isInside(loop, other)))
  if (inner.length !== trips.length || groupLoops.length > 0 !== rolled)
    throw new Error(`${inner.length} loops, ${groupLoops.length} around them; ${trips.length} were written`)
  const wide = ({ from, to }: Loop) => instructions.filter(({ at, isWide }) => isWide && at >= from && at <= to).length
  const ordered = rolled ? inner.toSorted((a, b) => wide(b) - wide(a)) : inner
  return instructions.map(({ at }) => {
    const contains = ({ from, to }: Loop) => at >= from && at <= to
    const index = ordered.findIndex(contains)
    if (index >= 0) return trips[index]!
    return groupLoops.some(contains) ? groups.length : 1
  })
}

/**
 * Returns the loops in order of their start; two branches back to one place are one loop. A branch to itself, which
 * ends a kernel, does not count.
 */
function loopsOf(instructions: readonly Located[]): Loop[] {
  const ends = new Map<number, number>()
  for (const { at, target } of instructions)
    if (target !== undefined && target < at) ends.set(target, Math.max(ends.get(target) ?? 0, at))
  return [...ends].map(([from, to]) => ({ from, to })).sort((a, b) => a.from - b.from)
}
