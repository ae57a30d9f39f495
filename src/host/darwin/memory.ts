/** Memory on macOS. */
import { dlopen } from "bun:ffi"
import { openedOnce } from "../once.ts"
import { POSIX_MEMORY, posixMemory } from "../posix-memory.ts"

const MAP_ANONYMOUS = 0x1000

/** The C library; it is not a file on disk, but the loader finds it in its shared cache by this path. */
export const LIBRARY = "/usr/lib/libSystem.B.dylib"

const INVALIDATE = { sys_icache_invalidate: { args: ["u64", "u64"], returns: "void" } } as const

export const memory = openedOnce(() => {
  const { symbols } = dlopen(LIBRARY, POSIX_MEMORY)
  if (process.arch !== "arm64") return posixMemory(symbols, MAP_ANONYMOUS)
  return posixMemory(symbols, MAP_ANONYMOUS, dlopen(LIBRARY, INVALIDATE).symbols.sys_icache_invalidate)
})
