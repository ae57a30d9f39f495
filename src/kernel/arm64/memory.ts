/**
 * Memory outside the JavaScript heap, allocated by the C library: pages for data, and pages for machine code. Code pages
 * are first written and then made executable; they are never writable and executable at once.
 *
 * On arm64, an instruction fetch may miss earlier writes until the caches are cleaned and invalidated. Linux does both when
 * `mprotect` first makes a page executable. The code's `synchronise` repeats them for every core, because `ic ivau` and
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
const MAP_ANONYMOUS = { linux: 0x20, darwin: 0x1000 } as const
/** The largest page size on arm64, where pages have 4, 16 or 64 KiB. */
const PAGE = 2 ** 16

const signatures = {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  mprotect: { args: ["u64", "u64", "i32"], returns: "i32" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
} as const
const invalidate = { sys_icache_invalidate: { args: ["u64", "u64"], returns: "void" } } as const
const DARWIN_LIBRARY = "/usr/lib/libSystem.B.dylib"

let library: ReturnType<typeof open> | undefined

const open = () =>
  (process.platform === "darwin" ? openSystemLibrary(DARWIN_LIBRARY, signatures) : openCLibrary(signatures)).symbols

function libc() {
  try {
    library ??= open()
    return library
  } catch {
    throw new UnsupportedKernel("no C library was found to allocate executable memory")
  }
}

export interface Pages {
  readonly address: number
  readonly buffer: ArrayBuffer
  free(): void
}

/** Allocates zeroed pages of data at a fixed address. @throws UnsupportedKernel if the system denies the memory */
export function mapPages(bytes: number): Pages {
  const { mmap, munmap } = libc()
  const size = Math.ceil(bytes / PAGE) * PAGE
  const flags = MAP_PRIVATE | MAP_ANONYMOUS[process.platform === "darwin" ? "darwin" : "linux"]
  const address = Number(mmap(null, size, PROT_READ | PROT_WRITE, flags, -1, 0))
  if (address < 0) throw new UnsupportedKernel("the system denied memory for machine code")
  return {
    address,
    buffer: toArrayBuffer(address as Pointer, 0, size),
    free: () => void munmap(address, size),
  }
}

export interface LoadedCode {
  readonly address: number
  /** Returns the function at a byte offset. It takes a pointer in x0. */
  entry(offset: number): (pointer: number) => void
  free(): void
}

/**
 * Loads machine code into executable memory.
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
  if (process.platform === "darwin")
    openSystemLibrary(DARWIN_LIBRARY, invalidate).symbols.sys_icache_invalidate(pages.address, code.length)
  return {
    address: pages.address,
    entry: offset => {
      const call = CFunction({ ptr: (pages.address + offset) as Pointer, args: ["ptr"], returns: "void" })
      return pointer => void call(pointer as Pointer)
    },
    free: pages.free,
  }
}
