/** Memory by mmap(2) and mprotect(2). */
import type { SystemMemory } from "./platform.ts"

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_PRIVATE = 2

export const POSIX_MEMORY = {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  mprotect: { args: ["u64", "u64", "i32"], returns: "i32" },
  munmap: { args: ["u64", "u64"], returns: "i32" },
} as const

export interface PosixFunctions {
  mmap(address: null, bytes: number, protection: number, flags: number, file: number, offset: number): bigint | number
  mprotect(address: number, bytes: number, protection: number): number
  munmap(address: number, bytes: number): number
}

/**
 * @param mapAnonymous the system's value of MAP_ANONYMOUS
 * @param synchronise makes written instructions visible to instruction fetches, if `mprotect` does not
 */
export const posixMemory = (
  { mmap, mprotect, munmap }: PosixFunctions,
  mapAnonymous: number,
  synchronise: (address: number, bytes: number) => void = () => {},
): SystemMemory => ({
  // The largest size of the architecture: on arm64, pages have 4, 16 or 64 KiB.
  pageBytes: process.arch === "arm64" ? 2 ** 16 : 4096,
  map(bytes) {
    const address = Number(mmap(null, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | mapAnonymous, -1, 0))
    return address < 0 ? undefined : address
  },
  makeExecutable(address, bytes) {
    if (mprotect(address, bytes, PROT_READ | PROT_EXEC) !== 0) return false
    synchronise(address, bytes)
    return true
  },
  unmap: (address, bytes) => void munmap(address, bytes),
})
