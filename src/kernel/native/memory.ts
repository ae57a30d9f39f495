/**
 * Memory outside the JavaScript heap, by the C library: pages for data, and machine code that is written first and made
 * executable then, never both at a time. Linux only.
 */
import { CFunction, type Pointer, toArrayBuffer } from "bun:ffi"
import { openCLibrary } from "../../host/system-library.ts"
import { UnsupportedKernel } from "../kernel.ts"

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const PAGE = 4096

const signatures = {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  mprotect: { args: ["u64", "u64", "i32"], returns: "i32" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
} as const

let library: ReturnType<typeof open> | undefined

const open = () => openCLibrary(signatures).symbols

function libc() {
  try {
    library ??= open()
    return library
  } catch {
    throw new UnsupportedKernel("there is no C library to ask for executable memory")
  }
}

/** Pages of data at a fixed address, zeroed. */
export interface Pages {
  readonly address: number
  readonly buffer: ArrayBuffer
  free(): void
}

/** @throws UnsupportedKernel where the system gives no memory */
export function mapPages(bytes: number): Pages {
  const { mmap, munmap } = libc()
  const size = Math.ceil(bytes / PAGE) * PAGE
  const address = Number(mmap(null, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
  if (address < 0) throw new UnsupportedKernel("the system gives no memory for machine code")
  return {
    address,
    buffer: toArrayBuffer(address as Pointer, 0, size),
    free: () => void munmap(address, size),
  }
}

export interface LoadedCode {
  /** The function at a byte offset: takes a pointer (in rdi), gives 32 bits. */
  entry(offset: number): (pointer: number) => number
  free(): void
}

/** @throws UnsupportedKernel where the system refuses executable memory (SELinux, hardened kernels) */
export function loadCode(code: Uint8Array): LoadedCode {
  const pages = mapPages(code.length)
  new Uint8Array(pages.buffer).set(code)
  if (libc().mprotect(pages.address, pages.buffer.byteLength, PROT_READ | PROT_EXEC) !== 0) {
    pages.free()
    throw new UnsupportedKernel("the system refuses executable memory")
  }
  return {
    entry: offset => {
      const call = CFunction({ ptr: (pages.address + offset) as Pointer, args: ["ptr"], returns: "u32" })
      return pointer => call(pointer as Pointer)
    },
    free: pages.free,
  }
}
