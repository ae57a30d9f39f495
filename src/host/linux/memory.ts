/** Memory on Linux, whose `mprotect` makes written instructions visible when it first makes a page executable. */
import { openedOnce } from "../once.ts"
import { POSIX_MEMORY, posixMemory } from "../posix-memory.ts"
import { openCLibrary } from "./libraries.ts"

const MAP_ANONYMOUS = 0x20

export const memory = openedOnce(() => posixMemory(openCLibrary(POSIX_MEMORY).symbols, MAP_ANONYMOUS))
