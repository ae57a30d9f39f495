/** Counts and predicted cycles of the arm64 kernels, from the listings of their steps. */

import { type KernelListing, type RenderedKernel, renderKernel } from "../../src/kernel/arm64/render.ts"
import { type Arm64KernelName, RECIPES } from "../../src/kernel/arm64/targets.ts"
import type { Ops } from "../../src/kernel/ops.ts"
import { hashElement } from "../../src/kernel/search.ts"
import { WIDTH } from "../../src/pow/constants.ts"
import type { Core } from "./arm64-cores.ts"
import { boundPerPass, parseInstruction, cyclesPerPass as simulate } from "./simulate.ts"

/** One part of the search, and how often a batch runs it. */
export interface Part {
  readonly name: string
  readonly code: readonly string[]
  readonly runs: number
}

export interface KernelCounts {
  /** Instructions that a nonce executes. */
  readonly instructions: number
  /** Stores and reloads of spilled values among them. */
  readonly spills: number
  /** Bytes of instructions. */
  readonly codeBytes: number
}

export interface Prediction {
  /** Cycles per nonce: simulated, and by dispatch and ports alone. */
  readonly cycles: number
  readonly bound: number
  readonly parts: readonly {
    readonly name: string
    readonly cycles: number
    readonly bound: number
    readonly by: string
  }[]
}

export const isArm64Kernel = (name: string): name is Arm64KernelName => name in RECIPES

const rendered = new Map<string, RenderedKernel & KernelListing>()

export function arm64Kernel(name: Arm64KernelName): RenderedKernel & KernelListing {
  let kernel = rendered.get(name)
  if (!kernel) rendered.set(name, (kernel = renderKernel(RECIPES[name])))
  return kernel
}

/** Returns the parts of the search of one batch: the steps of `hashElement`, and the code around them. */
export function partsOf({ steps, batch }: KernelListing): Part[] {
  const runs = stepRuns()
  return [
    ...steps.map(({ name, code }) => ({ name, code, runs: runs.get(name) ?? 0 })),
    { name: "batch", code: batch, runs: 1 },
  ]
}

/** Returns how often a nonce runs each step after the first round, by the step's name. */
function stepRuns(): Map<string, number> {
  const runs = new Map<string, number>()
  const nothing = () => undefined
  const ops: Ops<undefined, undefined> = {
    productsTakeConstants: false,
    square: nothing,
    multiply: nothing,
    product: nothing,
    zero: nothing,
    widen: nothing,
    add: nothing,
    double: nothing,
    addConstant: nothing,
    multiplyAdd: nothing,
    reduce: nothing,
    reduceLinear: nothing,
    settle: nothing,
    repeat: ({ name = "step" }, table, state) => {
      runs.set(name, (runs.get(name) ?? 0) + table.length)
      return [...state]
    },
  }
  hashElement(ops, new Array<undefined>(WIDTH).fill(undefined))
  return runs
}

export function countsOf(kernel: RenderedKernel & KernelListing): KernelCounts {
  const runs = stepRuns()
  const instructions = partsOf(kernel).reduce((sum, { code, runs }) => sum + code.length * runs, 0)
  const spills = kernel.steps.reduce(
    (sum, { name, statistics: { stores, reloads } }) => sum + (stores + reloads) * (runs.get(name) ?? 0),
    0,
  )
  return {
    instructions: Math.round(instructions / kernel.lanes),
    spills: Math.round(spills / kernel.lanes),
    codeBytes: kernel.codeBytes,
  }
}

/** Returns the instructions of each part, by kind, and the allocator's counts. */
export function countsByPart(kernel: RenderedKernel & KernelListing): Record<string, Record<string, number>> {
  const statistics = new Map(kernel.steps.map(({ name, statistics }) => [name, statistics]))
  return Object.fromEntries(
    partsOf(kernel).map(({ name, code, runs }) => {
      const kinds = code.map(text => parseInstruction(text).kind)
      const of = (kind: string) => kinds.filter(one => one === kind).length
      const { stores = 0, reloads = 0 } = statistics.get(name) ?? {}
      const copies = code.filter(
        text => /^mov [xv]\d+(\.16b)?, [xv]/.test(text) || /^orr (v\d+).16b, (v\d+).16b, \2/.test(text),
      ).length
      return [
        name,
        {
          runs,
          instructions: code.length,
          integer: of("integer"),
          vector: of("vector"),
          loads: of("load"),
          stores: of("store"),
          spills: stores,
          reloads,
          copies,
        },
      ]
    }),
  )
}

/** Predicts the cycles per nonce on a core. @param cyclesPerPass simulates a step as an endless loop */
export function predict(
  kernel: RenderedKernel & KernelListing,
  core: Core,
  cyclesPerPass: (loop: readonly string[], core: Core) => number = simulate,
): Prediction {
  const parts = partsOf(kernel).map(({ name, code, runs }) => {
    const bound = boundPerPass(code, core)
    const scale = runs / kernel.lanes
    return { name, cycles: cyclesPerPass(code, core) * scale, bound: bound.cycles * scale, by: bound.by }
  })
  const sum = (of: "cycles" | "bound") => parts.reduce((total, part) => total + part[of], 0)
  return { cycles: sum("cycles"), bound: sum("bound"), parts }
}
