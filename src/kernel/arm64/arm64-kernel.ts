/** Loads a rendered kernel and calls it from TypeScript. */
import { WIDTH } from "../../pow/constants.ts"
import { type Kernel, UnsupportedKernel } from "../kernel.ts"
import { type LoadedCode, loadCode, mapPages, type Pages } from "../native/memory.ts"
import { capabilities } from "./capabilities.ts"
import { type EntryName, type RenderedKernel, renderKernel } from "./render.ts"
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

class Arm64Kernel implements Kernel {
  readonly row: number
  readonly hits: Uint32Array
  readonly #lanes: number
  readonly #loaded: LoadedCode
  readonly #context: Pages
  readonly #entries: Readonly<Record<EntryName, (pointer: number) => void>>
  readonly #input: BigUint64Array
  readonly #first: BigUint64Array
  readonly #batches: BigUint64Array
  readonly #target: BigUint64Array
  readonly #output: BigUint64Array
  readonly #flags: Uint32Array

  constructor(
    readonly name: string,
    { layout, entries, lanes, code }: RenderedKernel,
    loaded: LoadedCode,
    context: Pages,
  ) {
    const words = (offset: number, count: number) => new BigUint64Array(context.buffer, offset, count)
    this.#lanes = lanes
    this.#loaded = loaded
    this.#context = context
    this.#entries = {
      permute: loaded.entry(entries.permute),
      preparePlane: loaded.entry(entries.preparePlane),
      searchRow: loaded.entry(entries.searchRow),
      searchRange: loaded.entry(entries.searchRange),
      synchronise: loaded.entry(entries.synchronise),
    }
    this.#input = words(layout.input, WIDTH)
    this.#first = words(layout.first, 1)
    this.#batches = words(layout.batches, 1)
    this.#target = words(layout.target, 1)
    this.#output = words(layout.output, WIDTH)
    this.#flags = new Uint32Array(context.buffer, layout.flags, layout.rowColumns)
    this.row = layout.rowColumns
    this.hits = new Uint32Array(this.row)
    this.#input.set([BigInt(loaded.address), BigInt(loaded.address + code.length)])
    this.#call("synchronise")
  }

  permute(state: BigUint64Array): void {
    this.#input.set(state)
    this.#call("permute")
    state.set(this.#output)
  }

  setTarget(top: bigint): void {
    this.#target[0] = top
  }

  preparePlane(state: BigUint64Array): void {
    this.#input.set(state)
    this.#call("preparePlane")
  }

  searchRow(t0: number): number {
    this.#first[0] = BigInt(t0)
    this.#call("searchRow")
    return this.#collect(this.row)
  }

  prepareRange(state: BigUint64Array): void {
    this.#input.set(state)
  }

  searchRange(first: number, count: number): number {
    this.#first[0] = BigInt(first)
    this.#batches[0] = BigInt(Math.ceil(count / this.#lanes))
    this.#call("searchRange")
    return this.#collect(count)
  }

  close(): void {
    this.#loaded.free()
    this.#context.free()
  }

  #call(entry: EntryName): void {
    this.#entries[entry](this.#context.address)
  }

  /** Turns the flags of the first `count` nonces into hits. */
  #collect(count: number): number {
    let found = 0
    for (let nonce = 0; nonce < count; nonce++) if (this.#flags[nonce] === 0) this.hits[found++] = nonce
    return found
  }
}
