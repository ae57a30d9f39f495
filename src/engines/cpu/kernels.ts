import { loadArm64Kernel, renderArm64Kernel } from "../../kernel/arm64/arm64-kernel.ts"
import type { RenderedKernel as RenderedArm64Kernel } from "../../kernel/arm64/render.ts"
import type { Arm64KernelName } from "../../kernel/arm64/targets.ts"
import type { Kernel } from "../../kernel/kernel.ts"
import { compileWasmKernel, loadWasmKernel, type WasmKernelName } from "../../kernel/wasm/wasm-kernel.ts"
import { VARIANTS } from "../../kernel/x64/program/render-targets.ts"
import { cpuFeatures } from "../../kernel/x64/runtime/cpuid.ts"
import {
  loadKernel,
  renderX64Kernel,
  type SharedX64Kernel,
  shareKernel,
  type X64KernelName,
  x64Variants,
} from "../../kernel/x64/x64-kernel.ts"

/** Steps that create a kernel: rendering, once per process, and loading, once per thread. */
export interface KernelRecipe<Rendered = unknown> {
  /** The processor architecture that runs the kernel, as `process.arch`; absent if every one does. */
  readonly arch?: string
  /** The result survives structured cloning. @throws UnsupportedKernel if the kernel cannot run on this machine */
  render(): Rendered
  /** Binds the kernel to the calling thread. @throws UnsupportedKernel if the system does not allow it */
  load(rendered: Rendered): Kernel
}

export type KernelTable = Readonly<Record<string, KernelRecipe>>

/** All CPU kernels by their `--engine` name, usually fastest first. */
export const KERNELS: KernelTable = {
  avx512: x64("avx512"),
  "avx512-limbs": x64("avx512-limbs"),
  avx2: x64("avx2"),
  scalar: x64("scalar"),
  "arm64-sve2": arm64("arm64-sve2"),
  "arm64-mixed": arm64("arm64-mixed"),
  "arm64-mixed-narrow": arm64("arm64-mixed-narrow"),
  "arm64-neon": arm64("arm64-neon"),
  "arm64-two": arm64("arm64-two"),
  arm64: arm64("arm64"),
  wasm: wasm("wasm"),
  "wasm-narrow": wasm("wasm-narrow"),
}

const ABOUT: Readonly<Record<string, string>> = {
  avx512: "AVX-512 machine code with IFMA",
  "avx512-limbs": "AVX-512 machine code",
  avx2: "AVX2 machine code",
  scalar: "integer machine code for CPUs without AVX2",
  "arm64-sve2": "SVE2 and integer machine code",
  "arm64-mixed": "NEON and integer machine code",
  "arm64-mixed-narrow": "NEON and integer machine code for narrow cores",
  "arm64-neon": "NEON machine code",
  "arm64-two": "integer machine code of two nonces",
  arm64: "integer machine code",
  wasm: "WebAssembly with wide arithmetic",
  "wasm-narrow": "WebAssembly 1.0",
}

/** Kernels tuned for different cores, by name: `ENGINE:…`. An engine's default kernel has the engine's name. */
const VARIANT_KERNELS: KernelTable = Object.fromEntries(
  Object.keys(VARIANTS).flatMap(name => (Object.hasOwn(KERNELS, name) ? [] : [[name, x64(name)]])),
)

/** All kernels that a worker can load, by name. */
export const ALL_KERNELS: KernelTable = { ...KERNELS, ...VARIANT_KERNELS }

/** @returns the names of an engine's kernels that may be the fastest on this CPU, its default first */
export const variantsOf = (engine: string): readonly string[] =>
  Object.hasOwn(VARIANTS, engine) ? x64Variants(engine as X64KernelName) : [engine]

/** @returns the public name of a kernel's engine */
export const engineOf = (kernel: string): string => VARIANTS[kernel]?.engine ?? kernel

/** @returns what a kernel is, for people; the variants of an engine have the same text */
export const aboutKernel = (kernel: string): string => ABOUT[engineOf(kernel)]!

/** Kernels that are slower than another one wherever both can run, with the name of that one. */
export const FALLBACK_OF: Readonly<Record<string, string>> = {
  "wasm-narrow": "wasm",
  scalar: "avx2",
  "scalar:bmi2": "avx2",
}

/** @returns names of the instruction sets beyond the architecture's base that kernels can use on this machine */
export function usableFeatures(): readonly string[] {
  if (process.arch !== "x64") return []
  try {
    return [...cpuFeatures()].toSorted()
  } catch {
    return []
  }
}

/** Names of the kernels that are made for an architecture, usually fastest first. */
export function kernelNames(arch: string = process.arch): string[] {
  return Object.keys(KERNELS).filter(name => (KERNELS[name]?.arch ?? arch) === arch)
}

const rendered = new Map<string, unknown>()

/**
 * The rendered form of a kernel, from which any thread loads it; rendered at the first call.
 * @throws UnsupportedKernel if it cannot run on this machine
 */
export function renderedKernel(name: string): unknown {
  if (!rendered.has(name)) rendered.set(name, recipeOf(ALL_KERNELS, name).render())
  return rendered.get(name)
}

/** A kernel for the calling thread. @throws UnsupportedKernel if it cannot run on this machine */
export const createKernel = (name: string): Kernel => recipeOf(ALL_KERNELS, name).load(renderedKernel(name))

export function recipeOf(kernels: KernelTable, name: string): KernelRecipe {
  const recipe = Object.hasOwn(kernels, name) ? kernels[name] : undefined
  if (!recipe) throw new RangeError(`no kernel ${name}`)
  return recipe
}

function x64(name: string): KernelRecipe<SharedX64Kernel> {
  return { arch: "x64", render: () => shareKernel(renderX64Kernel(name)), load: rendered => loadKernel(name, rendered) }
}

function arm64(name: Arm64KernelName): KernelRecipe<RenderedArm64Kernel> {
  return { arch: "arm64", render: () => renderArm64Kernel(name), load: rendered => loadArm64Kernel(name, rendered) }
}

function wasm(name: WasmKernelName): KernelRecipe<WebAssembly.Module> {
  return { render: () => compileWasmKernel(name), load: module => loadWasmKernel(name, module) }
}
