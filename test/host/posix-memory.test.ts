import { describe, expect, test } from "bun:test"
import { type PosixFunctions, posixMemory } from "../../src/host/posix-memory.ts"

/** Records the arguments of every call. */
function recorder(results: { readonly mmap?: bigint; readonly mprotect?: number } = {}) {
  const calls: unknown[][] = []
  const record =
    (name: string, result: unknown) =>
    (...args: unknown[]) => {
      calls.push([name, ...args])
      return result
    }
  const functions = {
    mmap: record("mmap", results.mmap ?? 0x10000n),
    mprotect: record("mprotect", results.mprotect ?? 0),
    munmap: record("munmap", 0),
  } as unknown as PosixFunctions
  return { calls, functions }
}

const READ_WRITE = 1 | 2
const READ_EXECUTE = 1 | 4

describe.each([
  // MAP_PRIVATE is 2 on both; MAP_ANONYMOUS by the headers of each system.
  ["Linux", 0x20],
  ["macOS", 0x1000],
] as const)("pages on %s", (_, mapAnonymous) => {
  test("are mapped for data, then executable and no longer writable", () => {
    const { calls, functions } = recorder()
    const pages = posixMemory(functions, mapAnonymous)
    expect(pages.map(8192)).toBe(0x10000)
    expect(pages.makeExecutable(0x10000, 8192)).toBe(true)
    pages.unmap(0x10000, 8192)
    expect(calls).toEqual([
      ["mmap", null, 8192, READ_WRITE, 0x02 | mapAnonymous, -1, 0],
      ["mprotect", 0x10000, 8192, READ_EXECUTE],
      ["munmap", 0x10000, 8192],
    ])
  })

  test("are undefined or not executable if the system refuses", () => {
    const pages = posixMemory(recorder({ mmap: -1n, mprotect: -1 }).functions, mapAnonymous)
    expect(pages.map(4096)).toBeUndefined()
    expect(pages.makeExecutable(0x10000, 4096)).toBe(false)
  })
})
