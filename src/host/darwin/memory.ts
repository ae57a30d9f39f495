/** Memory on macOS. */
import { dlopen } from "bun:ffi"
import { openedOnce } from "../once.ts"
import { POSIX_MEMORY, posixMemory } from "../posix-memory.ts"
import { C_LIBRARY } from "./libraries.ts"

const MAP_ANONYMOUS = 0x1000

const INVALIDATE = { sys_icache_invalidate: { args: ["u64", "u64"], returns: "void" } } as const

export const memory = openedOnce(() => {
  const { symbols } = dlopen(C_LIBRARY, POSIX_MEMORY)
  if (process.arch !== "arm64") return posixMemory(symbols, MAP_ANONYMOUS)
  return posixMemory(symbols, MAP_ANONYMOUS, dlopen(C_LIBRARY, INVALIDATE).symbols.sys_icache_invalidate)
})
