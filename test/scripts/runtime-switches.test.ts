import { describe, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { removeRuntimeSwitches, switchesIn } from "../../scripts/runtime-switches.ts"

const namesIn = (bytes: Buffer): string[] => [...new Set(switchesIn(bytes).map(({ name }) => name))]

async function inDirectory(use: (path: string) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "quantus-switches-"))
  try {
    use(join(directory, "runtime"))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test(
  "the runtime of this machine has each switch, and none after the build",
  () =>
    inDirectory(path => {
      copyFileSync(process.execPath, path)
      // Throws where one is absent.
      removeRuntimeSwitches(path)
      const after = readFileSync(path)
      expect(namesIn(after)).toEqual([])
      expect(after.length).toBe(statSync(process.execPath).size)
    }),
  30_000,
)

test("a runtime that lacks a name is refused", () =>
  inDirectory(path => {
    writeFileSync(path, "BUN_BE_BUN BUN_OPTIONS")
    expect(() => removeRuntimeSwitches(path)).toThrow("does not contain the variable BUN_INSPECT")
  }))

test("an expression of the runtime's own modules stays as it is", () => {
  expect(namesIn(Buffer.from("\0BUN_OPTIONS\0"))).toEqual(["BUN_OPTIONS"])
  expect(namesIn(Buffer.from("if (Bun.env.BUN_OPTIONS)"))).toEqual([])
})

describe("the comparison with BUN_JSC_ in the code of", () => {
  const characters = [...Buffer.from("BUN_JSC_")]
  /** `cmp byte [r14 + i], c; jne` and `cmp byte [rdi + i], c; jne`. */
  const x64 = (rex: readonly number[], base: number) =>
    characters.flatMap((c, i) => [...rex, 0x80, ...(i === 0 ? [base & 0x3f] : [base, i]), c, 0x75, 0xe5])
  const wordBytes = (word: number) => new Uint8Array(Uint32Array.of(word).buffer)
  /** `ldrb w9, [x8, #i]; cmp w9, #c; b.ne`. */
  const arm64 = characters.flatMap((c, i) =>
    [0x39400109 | (i << 10), 0x7100013f | (c << 10), 0x54000041].flatMap(word => [...wordBytes(word)]),
  )

  test.each([
    ["x64 with r14", [0x90, 0x90, ...x64([0x41], 0x7e)]],
    ["x64 with rdi", [0x90, ...x64([], 0x7f)]],
    ["arm64", [0, 0, 0, 0, ...arm64, 0, 0, 0, 0]],
  ])("%s is found and removed", (_, code) => {
    const bytes = Buffer.from([...code, ...new Array<number>(100).fill(0)])
    const before = Buffer.from(bytes)
    const found = switchesIn(bytes)
    expect(found.map(({ name }) => name)).toEqual(["BUN_JSC_"])
    found[0]!.remove()
    expect(switchesIn(bytes)).toEqual([])
    // Only the first character differs.
    const changed = [...bytes.keys()].filter(at => bytes[at] !== before[at])
    expect(changed.length).toBeLessThanOrEqual(2)
  })
})
