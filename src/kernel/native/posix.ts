/**
 * Pages of Linux and macOS, by mmap(2) and mprotect(2).
 *
 * On arm64, an instruction fetch may miss earlier writes until the caches are cleaned and invalidated. Linux does both when
 * `mprotect` first makes a page executable. The kernel's `synchronise` repeats them for every core, because `ic ivau` and
 * the barriers reach all cores. Each thread loads its own copy and returns from system calls afterwards, so its pipeline
 * holds no instruction that was fetched earlier. On macOS, `sys_icache_invalidate` does the same.
 */
import { openCLibrary, openSystemLibrary } from "../../host/system-library.ts"
import type { PageFunctions } from "./page-functions.ts"

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = { linux: 0x20, darwin: 0x1000 } as const

/** macOS's C library; it is not a file on disk, but the loader finds it in its shared cache by this path. */
const DARWIN_LIBRARY = "/usr/lib/libSystem.B.dylib"

const signatures = {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  mprotect: { args: ["u64", "u64", "i32"], returns: "i32" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
} as const

const invalidate = { sys_icache_invalidate: { args: ["u64", "u64"], returns: "void" } } as const

export type PosixFunctions = ReturnType<typeof openPosix>

/** @throws Error if the C library is not found */
const openPosix = (system: "linux" | "darwin") =>
  (system === "darwin" ? openSystemLibrary(DARWIN_LIBRARY, signatures) : openCLibrary(signatures)).symbols

/** @param open a test may pass its own @throws Error if the C library is not found */
export function posixPages(system: "linux" | "darwin", arch: string, open = openPosix): PageFunctions {
  const { mmap, mprotect, munmap } = open(system)
  const synchronise =
    system === "darwin" && arch === "arm64"
      ? openSystemLibrary(DARWIN_LIBRARY, invalidate).symbols.sys_icache_invalidate
      : () => {}
  return {
    // The largest size of the architecture: on arm64, pages have 4, 16 or 64 KiB.
    pageBytes: arch === "arm64" ? 2 ** 16 : 4096,
    map(bytes) {
      const address = Number(mmap(null, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS[system], -1, 0))
      return address < 0 ? undefined : address
    },
    makeExecutable(address, bytes) {
      if (mprotect(address, bytes, PROT_READ | PROT_EXEC) !== 0) return false
      synchronise(address, bytes)
      return true
    },
    unmap: (address, bytes) => void munmap(address, bytes),
  }
}
