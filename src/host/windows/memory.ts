/** Memory on Windows, by VirtualAlloc and VirtualProtect. */
import type { Pointer } from "bun:ffi"
import { openedOnce } from "../once.ts"
import type { SystemMemory } from "../platform.ts"
import { openLibrary } from "./libraries.ts"

const MEM_COMMIT = 0x1000
const MEM_RESERVE = 0x2000
const MEM_RELEASE = 0x8000
const PAGE_READWRITE = 0x04
const PAGE_EXECUTE_READ = 0x20

/** The pseudo-handle that GetCurrentProcess returns. */
const THIS_PROCESS = -1

const signatures = {
  VirtualAlloc: { args: ["ptr", "u64", "u32", "u32"], returns: "ptr" },
  VirtualProtect: { args: ["ptr", "u64", "u32", "ptr"], returns: "i32" },
  VirtualFree: { args: ["ptr", "u64", "u32"], returns: "i32" },
  FlushInstructionCache: { args: ["i64", "ptr", "u64"], returns: "i32" },
} as const

export const memory = openedOnce((): SystemMemory => {
  const kernel32 = openLibrary("kernel32.dll", signatures).symbols
  const previous = new Uint32Array(1)
  return {
    pageBytes: 4096,
    map: bytes => Number(kernel32.VirtualAlloc(null, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE)) || undefined,
    makeExecutable(address, bytes) {
      const pages = address as Pointer
      if (kernel32.VirtualProtect(pages, bytes, PAGE_EXECUTE_READ, previous) === 0) return false
      return kernel32.FlushInstructionCache(THIS_PROCESS, pages, bytes) !== 0
    },
    unmap: address => void kernel32.VirtualFree(address as Pointer, 0, MEM_RELEASE),
  }
})
