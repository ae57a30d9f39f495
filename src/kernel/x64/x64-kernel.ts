/** Loads rendered x86-64 kernels and calls them from TypeScript. */

import { WIDTH } from "../../pow/constants.ts"
import type { Schedules } from "../compiler/block-schedule.ts"
import type { CompileOptions } from "../compiler/compile-block.ts"
import { type Kernel, UnsupportedKernel } from "../kernel.ts"
import { type LoadedCode, mapPages, type Pages } from "../native/memory.ts"
import { NativeKernel } from "../native/native-kernel.ts"
import type { Feature } from "./assembler/table.ts"
import { coreSchedules } from "./program/core-schedules.ts"
import { type RenderedKernel, renderKernel } from "./program/render.ts"
import { VARIANTS, variantsFor, type X64Engine } from "./program/render-targets.ts"
import { cpuFeatures, cpuIdentity } from "./runtime/cpuid.ts"
import { attachX64Code, loadX64Code } from "./runtime/load-x64.ts"

export type X64KernelName = X64Engine

/** Engines with vector code, usually fastest first: those whose schedules can be tuned. */
export const X64_ENGINES: readonly X64Engine[] = ["avx512", "avx512-limbs", "avx2"]

export interface RenderX64Options {
  /** Changes to the schedules of blocks; those known for this CPU's core if absent. */
  readonly schedules?: Schedules
  /** As for the compiler. */
  readonly orders?: CompileOptions["orders"]
}

/**
 * Renders a kernel of `VARIANTS`. Any number of threads can load the code: it is position-independent and writes only to the context
 * that each thread passes.
 * @throws UnsupportedKernel if the CPU lacks a feature or the system refuses executable memory
 */
export function renderX64Kernel(name: string, options: RenderX64Options = {}): RenderedKernel {
  const { engine, target } = VARIANTS[name]!
  if (process.arch !== "x64") throw new UnsupportedKernel("this machine is not x86-64")
  // Rendering is slow, so the main feature is checked first.
  requireFeatures(engine.startsWith("avx512") ? ["avx512f"] : engine === "avx2" ? ["avx2"] : [])
  const { schedules = coreSchedules(name, cpuIdentity()), orders } = options
  return renderKernel({ ...target, routine: { ...target.routine, schedules, ...(orders && { orders }) } })
}

/**
 * The names of an engine's kernels that may be the fastest on this CPU, its default first; only the default if the CPU
 * cannot be identified.
 */
export function x64Variants(engine: X64Engine): readonly string[] {
  if (process.arch !== "x64") return [engine]
  try {
    return variantsFor(engine, cpuIdentity())
  } catch (error) {
    if (error instanceof UnsupportedKernel) return [engine]
    throw error
  }
}

/** Renders and loads a kernel. @throws UnsupportedKernel as `renderX64Kernel` */
export const createX64Kernel = (name: string): Kernel => loadKernel(name, renderX64Kernel(name))

/** A rendered kernel whose code is loaded, for all threads of the process and until it ends. Survives structured cloning. */
export interface SharedX64Kernel extends RenderedKernel {
  readonly address: number
}

/** Copies of a kernel's code among whose addresses a fast one is chosen. */
const COPIES = 4
/** Rows by which each copy is timed, in turns; the fastest counts, because other load only slows rows down. */
const TIMED_ROWS = 6

/**
 * Loads a kernel's code once for all threads. How fast a core runs code depends on its address, so a few copies are timed
 * for some milliseconds and the fastest is kept.
 * @throws UnsupportedKernel as `createX64Kernel`
 */
export function shareKernel(rendered: RenderedKernel): SharedX64Kernel {
  requireFeatures(rendered.needs)
  const copies = Array.from({ length: COPIES }, () => loadX64Code(rendered.code))
  const context = mapPages(rendered.layout.size)
  const kernels = copies.map(code => new X64Kernel("", rendered, code, context))
  const fastest = copies.map(() => Number.POSITIVE_INFINITY)
  kernels[0]!.setTarget(0n)
  kernels[0]!.preparePlane(new BigUint64Array(WIDTH))
  for (let row = 0; row < TIMED_ROWS; row++) {
    kernels.forEach((kernel, i) => {
      const begin = performance.now()
      kernel.searchRow(row)
      fastest[i] = Math.min(fastest[i]!, performance.now() - begin)
    })
  }
  const best = fastest.indexOf(Math.min(...fastest))
  for (const [i, code] of copies.entries()) if (i !== best) code.free()
  context.free()
  return { ...rendered, address: copies[best]!.address }
}

/**
 * Allocates a context for rendered code, and loads the code unless it is shared.
 * @throws UnsupportedKernel as `createX64Kernel`
 */
export function loadKernel(name: string, rendered: RenderedKernel | SharedX64Kernel): Kernel {
  requireFeatures(rendered.needs)
  const context = mapPages(rendered.layout.size)
  try {
    const code = "address" in rendered ? attachX64Code(rendered.address, rendered.code) : loadX64Code(rendered.code)
    return new X64Kernel(name, rendered, code, context)
  } catch (error) {
    context.free()
    throw error
  }
}

function requireFeatures(needs: Iterable<Feature>): void {
  const has = cpuFeatures()
  const missing = [...needs].filter(need => !has.has(need))
  if (missing.length > 0) throw new UnsupportedKernel(`this CPU has no ${missing.join(", ").toUpperCase()}`)
}

class X64Kernel extends NativeKernel {
  /** Lanes of each lane set of a batch. */
  readonly #laneSets: readonly number[]
  readonly #masks: Uint32Array

  constructor(name: string, rendered: RenderedKernel, loaded: LoadedCode, context: Pages) {
    const { layout, lanes } = rendered
    super(
      name,
      rendered,
      lanes.reduce((sum, count) => sum + count),
      loaded,
      context,
    )
    this.#laneSets = lanes
    this.#masks = new Uint32Array(context.buffer, layout.results, layout.rowBatches * lanes.length)
  }

  /** The comparison is signed. */
  protected targetWord = (top: bigint): bigint => top ^ (1n << 63n)

  /** A candidate's mask bit is clear. */
  protected collect(count: number): number {
    const laneSets = this.#laneSets
    let found = 0
    for (let first = 0, mask = 0; first < count; ) {
      for (let k = 0; k < laneSets.length; k++, mask++) {
        const lanes = laneSets[k]!
        const above = this.#masks[mask]!
        if (above !== 2 ** lanes - 1)
          for (let lane = 0; lane < lanes && first + lane < count; lane++)
            if (!(above & (1 << lane))) this.hits[found++] = first + lane
        first += lanes
      }
    }
    return found
  }
}
