import { describe, expect, test } from "bun:test"
import { type PosixFunctions, posixPages } from "../../../src/kernel/native/posix.ts"

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
  const opened: string[] = []
  const open = (system: string) => {
    opened.push(system)
    return functions
  }
  return { calls, opened, open }
}

const READ_WRITE = 1 | 2
const READ_EXECUTE = 1 | 4

describe.each([
  // MAP_PRIVATE | MAP_ANONYMOUS by the headers of each system.
  ["linux", 0x02 | 0x20],
  ["darwin", 0x02 | 0x1000],
] as const)("pages on %s", (system, flags) => {
  test("are mapped for data, then executable and no longer writable", () => {
    const { calls, opened, open } = recorder()
    const pages = posixPages(system, "x64", open)
    expect(pages.map(8192)).toBe(0x10000)
    expect(pages.makeExecutable(0x10000, 8192)).toBe(true)
    pages.unmap(0x10000, 8192)
    expect(opened).toEqual([system])
    expect(calls).toEqual([
      ["mmap", null, 8192, READ_WRITE, flags, -1, 0],
      ["mprotect", 0x10000, 8192, READ_EXECUTE],
      ["munmap", 0x10000, 8192],
    ])
  })

  test("are undefined or not executable if the system refuses", () => {
    const pages = posixPages(system, "x64", recorder({ mmap: -1n, mprotect: -1 }).open)
    expect(pages.map(4096)).toBeUndefined()
    expect(pages.makeExecutable(0x10000, 4096)).toBe(false)
  })
})
