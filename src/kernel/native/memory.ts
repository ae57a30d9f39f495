/**
 * Memory outside the JavaScript heap, from the C library: pages for data, and pages for machine code, which are never
 * writable and executable at the same time. Linux, and macOS on arm64.
 *
 * On arm64, an instruction fetch may miss earlier writes until the caches are cleaned and invalidated. Linux does both when
 * `mprotect` first makes a page executable. The kernel's `synchronise` repeats them for every core, because `ic ivau` and
 * the barriers reach all cores. Each thread loads its own copy and returns from system calls afterwards, so its pipeline
 * holds no instruction that was fetched earlier. On macOS, `sys_icache_invalidate` does the same.
 */
import { CFunction, type Pointer, toArrayBuffer } from "bun:ffi"
import { openCLibrary, openSystemLibrary } from "../../host/system-library.ts"
import { UnsupportedKernel } from "../kernel.ts"

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_PRIVATE = 2
const IS_ARM64_MAC = process.platform === "darwin" && process.arch === "arm64"
const MAP_ANONYMOUS = IS_ARM64_MAC ? 0x1000 : 0x20
/** The largest page size of the architecture: on arm64, pages have 4, 16 or 64 KiB. */
const PAGE = process.arch === "arm64" ? 2 ** 16 : 4096

const signatures = {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  mprotect: { args: ["u64", "u64", "i32"], returns: "i32" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
} as const

const invalidate = { sys_icache_invalidate: { args: ["u64", "u64"], returns: "void" } } as const
const DARWIN_LIBRARY = "/usr/lib/libSystem.B.dylib"

let library: ReturnType<typeof open> | undefined

const open = () => (IS_ARM64_MAC ? openSystemLibrary(DARWIN_LIBRARY, signatures) : openCLibrary(signatures)).symbols

function libc() {
  try {
    library ??= open()
    return library
  } catch {
    throw new UnsupportedKernel("no C library was found to allocate executable memory")
  }
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
  const { mmap, munmap } = libc()
  const size = Math.ceil(bytes / PAGE) * PAGE
  const address = Number(mmap(null, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
  if (address < 0) throw new UnsupportedKernel("the system denied memory for machine code")
  return {
    address,
    buffer: toArrayBuffer(address as Pointer, 0, size),
    free: () => void munmap(address, size),
  }
}

export interface LoadedCode {
  readonly address: number
  /** @returns the function at a byte offset into the code: argument and result in the first registers of the C ABI */
  entry(offset: number): (pointer: number) => number
  free(): void
}

/**
 * Copies machine code into new pages and makes them executable.
 * @throws UnsupportedKernel if the system refuses executable memory (SELinux, hardened kernels, macOS without the
 *   entitlement)
 */
export function loadCode(code: Uint8Array): LoadedCode {
  const pages = mapPages(code.length)
  new Uint8Array(pages.buffer).set(code)
  if (libc().mprotect(pages.address, pages.buffer.byteLength, PROT_READ | PROT_EXEC) !== 0) {
    pages.free()
    throw new UnsupportedKernel("the system refuses executable memory")
  }
  if (IS_ARM64_MAC)
    openSystemLibrary(DARWIN_LIBRARY, invalidate).symbols.sys_icache_invalidate(pages.address, code.length)
  return {
    address: pages.address,
    entry: offset => {
      const call = CFunction({ ptr: (pages.address + offset) as Pointer, args: ["ptr"], returns: "u32" })
      return pointer => call(pointer as Pointer)
    },
    free: pages.free,
  }
}
