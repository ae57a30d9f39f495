/**
 * Memory outside the JavaScript heap, from the system: pages for data, and pages for machine code, which are never
 * writable and executable at the same time.
 *
 * On arm64, an instruction fetch may miss earlier writes until the caches are cleaned and invalidated. The system does both
 * when it makes pages executable. The kernel's `synchronise` repeats them for every core, because `ic ivau` and the barriers
 * reach all cores. Each thread loads its own copy and returns from system calls afterwards, so its pipeline holds no
 * instruction that was fetched earlier.
 */
import { CFunction, type Pointer, toArrayBuffer } from "bun:ffi"
import { host } from "../../host/host.ts"
import { UnsupportedKernel } from "../kernel.ts"

/** @throws UnsupportedKernel if the system is not known or `bun:ffi` is refused */
function systemMemory() {
  const memory = host.memory()
  if (memory === undefined) throw new UnsupportedKernel("no C library was found to allocate executable memory")
  return memory
}

/** Zeroed pages for data, at a fixed address. */
export interface Pages {
  readonly address: number
  readonly buffer: ArrayBuffer
  /** Unmaps the pages; `buffer` must not be used afterwards. */
  free(): void
}

/**
 * Maps private, readable and writable pages.
 * @param bytes rounded up to whole pages
 * @throws UnsupportedKernel if the system denies the memory
 */
export function mapPages(bytes: number): Pages {
  const { pageBytes, map, unmap } = systemMemory()
  const size = Math.ceil(bytes / pageBytes) * pageBytes
  const address = map(size)
  if (address === undefined) throw new UnsupportedKernel("the system denied memory for machine code")
  return {
    address,
    buffer: toArrayBuffer(address as Pointer, 0, size),
    free: () => unmap(address, size),
  }
}

/** A function in machine code: arguments and result in the first registers of the system's C ABI. */
export type NativeFunction = (first: number, second?: number) => number

export interface LoadedCode {
  readonly address: number
  /** @returns the function at a byte offset into the code */
  entry(offset: number): NativeFunction
  free(): void
}

/**
 * Copies machine code into new pages and makes them executable.
 * @throws UnsupportedKernel if the system refuses executable memory (SELinux, hardened kernels, macOS without the
 *   entitlement, Windows with Arbitrary Code Guard)
 */
export function loadCode(code: Uint8Array): LoadedCode {
  const pages = mapPages(code.length)
  new Uint8Array(pages.buffer).set(code)
  if (!systemMemory().makeExecutable(pages.address, pages.buffer.byteLength)) {
    pages.free()
    throw new UnsupportedKernel("the system refuses executable memory")
  }
  return { ...attachCode(pages.address), free: pages.free }
}

/**
 * Returns code that this or another thread of the process loaded and keeps.
 * @param address from `LoadedCode`
 */
export const attachCode = (address: number): LoadedCode => ({
  address,
  entry: offset => {
    const call = CFunction({ ptr: (address + offset) as Pointer, args: ["ptr", "ptr"], returns: "u32" })
    return (first, second = 0) => call(first as Pointer, second as Pointer)
  },
  free: () => {},
})
