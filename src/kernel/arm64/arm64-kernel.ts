/** Loads a rendered kernel and calls it from TypeScript. */
import { type Kernel, UnsupportedKernel } from "../kernel.ts"
import { type LoadedCode, loadCode, mapPages, type Pages } from "../native/memory.ts"
import { NativeKernel } from "../native/native-kernel.ts"
import { capabilities } from "./capabilities.ts"
import { type RenderedKernel, renderKernel } from "./render.ts"
import { type Arm64KernelName, needsSve2, RECIPES } from "./targets.ts"

/**
 * Renders a kernel. Any number of threads can load the result: the code is position-independent and writes only to the
 * context that it is called with.
 * @throws UnsupportedKernel on another architecture, without the instructions that it needs, or on Windows
 */
export function renderArm64Kernel(name: Arm64KernelName): RenderedKernel {
  if (process.arch !== "arm64") throw new UnsupportedKernel("this machine is not arm64")
  if (process.platform === "win32") throw new UnsupportedKernel("Windows on arm64 runs WebAssembly only")
  if (!capabilities().neon) throw new UnsupportedKernel("this CPU has no NEON")
  if (needsSve2(name) && !capabilities().sve2) throw new UnsupportedKernel("this CPU has no SVE2")
  const { code, layout, lanes, entries } = renderKernel(RECIPES[name])
  return { code, layout, lanes, entries }
}

/** Loads rendered code and allocates its context. @throws UnsupportedKernel if the system refuses executable memory */
export function loadArm64Kernel(name: string, rendered: RenderedKernel): Kernel {
  const context = mapPages(rendered.layout.size)
  try {
    return new Arm64Kernel(name, rendered, loadCode(rendered.code), context)
  } catch (error) {
    context.free()
    throw error
  }
}

/** Renders and loads a kernel. @throws UnsupportedKernel as `renderArm64Kernel` and `loadArm64Kernel` */
export const createArm64Kernel = (name: Arm64KernelName): Kernel => loadArm64Kernel(name, renderArm64Kernel(name))

class Arm64Kernel extends NativeKernel {
  readonly #flags: Uint32Array

  constructor(name: string, rendered: RenderedKernel, loaded: LoadedCode, context: Pages) {
    super(name, rendered, rendered.lanes, loaded, context)
    const { layout, entries, code } = rendered
    this.#flags = new Uint32Array(context.buffer, layout.results, layout.rowColumns)
    const range = [BigInt(loaded.address), BigInt(loaded.address + code.length)]
    new BigUint64Array(context.buffer, layout.input, range.length).set(range)
    loaded.entry(entries.synchronise)(context.address)
  }

  protected targetWord = (top: bigint): bigint => top

  /** A candidate's flag is 0. */
  protected collect(count: number): number {
    let found = 0
    for (let nonce = 0; nonce < count; nonce++) if (this.#flags[nonce] === 0) this.hits[found++] = nonce
    return found
  }
}
