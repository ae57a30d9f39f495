import { expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { addCpuCheck } from "../../scripts/cpu-check.ts"

const isLinuxX64 = process.platform === "linux" && process.arch === "x64"

function inDirectory(run: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "quantus-cpu-check-"))
  try {
    run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test.skipIf(!isLinuxX64)(`a checked runtime runs${isLinuxX64 ? "" : " (skipped: not an x64 Linux)"}`, () => {
  inDirectory(directory => {
    const path = join(directory, "bun")
    copyFileSync(process.execPath, path)
    addCpuCheck(path)
    const { stdout, exitCode } = Bun.spawnSync([path, "--version"])
    expect({ output: stdout.toString().trim(), exitCode }).toEqual({ output: Bun.version, exitCode: 0 })
  })
})

/** An executable with one page of headers and data, and code `gap` bytes after it. */
function executable(gap: number): Buffer {
  const bytes = Buffer.alloc(8192)
  bytes.writeUInt32BE(0x7f454c46, 0)
  bytes[4] = 2
  bytes.writeUInt16LE(62, 18)
  const code = 4096 + 1024
  bytes.writeBigUInt64LE(BigInt(0x400000 + code), 24)
  bytes.writeBigUInt64LE(64n, 32)
  bytes.writeUInt16LE(56, 54)
  bytes.writeUInt16LE(2, 56)
  const segment = (i: number, flags: number, offset: number, size: number) => {
    const at = 64 + 56 * i
    bytes.writeUInt32LE(1, at)
    bytes.writeUInt32LE(flags, at + 4)
    for (const [field, value] of [
      [8, offset],
      [16, 0x400000 + offset],
      [24, 0x400000 + offset],
      [32, size],
      [40, size],
    ] as const)
      bytes.writeBigUInt64LE(BigInt(value), at + field)
  }
  segment(0, 4, 0, code - gap)
  segment(1, 5, code, 100)
  return bytes
}

test("the code segment grows by the check and starts with it", () => {
  inDirectory(directory => {
    const path = join(directory, "program")
    const before = executable(200)
    writeFileSync(path, before)
    addCpuCheck(path)
    const after = readFileSync(path)
    const field = (bytes: Buffer<ArrayBufferLike>, offset: number) => Number(bytes.readBigUInt64LE(offset))
    const header = 64 + 56
    const grown = field(after, header + 32) - field(before, header + 32)
    expect(grown).toBeGreaterThan(50)
    expect(field(after, header + 8)).toBe(field(before, header + 8) - grown)
    expect(field(after, 24)).toBe(field(before, 24) - grown)
    expect(field(after, header + 16)).toBe(field(after, 24))
    expect(after.subarray(5120).equals(before.subarray(5120))).toBe(true)
  })
})

test("too little room and other kinds of files are errors", () => {
  inDirectory(directory => {
    const path = join(directory, "program")
    writeFileSync(path, executable(20))
    expect(() => addCpuCheck(path)).toThrow("are free before the code")
    writeFileSync(path, Buffer.alloc(100))
    expect(() => addCpuCheck(path)).toThrow("not an ELF executable")
  })
})
