/**
 * A check in front of the runtime's entry point on Linux x64. The runtime needs SSE4.2 and ends with an illegal instruction
 * where it is missing, before the program's first line. The check writes a sentence and exits instead.
 *
 * Source: the ELF-64 object file format; Intel's manual, CPUID leaf 1.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { ExitCode } from "../src/errors.ts"

const EM_X86_64 = 62
const PT_LOAD = 1
const PF_X = 1
const PAGE = 4096

const MESSAGE = "quantus-miner needs a CPU with SSE4.2 (from 2008 on)\n"

interface Segment {
  /** Offset of its program header. */
  readonly header: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
}

/**
 * Rewrites an ELF executable for x86-64 in place: the check occupies the unused bytes before the code segment.
 * @throws Error if the file is of another kind, or those bytes are too few
 */
export function addCpuCheck(path: string): void {
  const bytes = readFileSync(path)
  const segments = loadSegments(bytes)
  const entry = Number(bytes.readBigUInt64LE(24))
  const code = segments.find(
    ({ flags, address, fileSize }) => flags & PF_X && entry >= address && entry < address + fileSize,
  )
  if (!code) throw new Error(`${path}: the entry point is in no code segment`)
  const length = checkCode(0).length
  const start = code.offset - length
  // The page that holds the first byte of code is mapped as a whole, so bytes before it on that page can be run.
  const isOnPage = Math.floor(start / PAGE) === Math.floor(code.offset / PAGE)
  const isUsed = segments.some(({ offset, fileSize }) => offset < code.offset && offset + fileSize > start)
  if (!isOnPage || isUsed) throw new Error(`${path}: fewer than ${length} bytes are free before the code`)
  const address = code.address - length
  bytes.set(checkCode(entry - address), start)
  bytes.writeBigUInt64LE(BigInt(address), 24)
  bytes.writeBigUInt64LE(BigInt(start), code.header + 8)
  for (const field of [16, 24]) bytes.writeBigUInt64LE(BigInt(address), code.header + field)
  for (const field of [32, 40]) {
    const size = bytes.readBigUInt64LE(code.header + field)
    bytes.writeBigUInt64LE(size + BigInt(length), code.header + field)
  }
  writeFileSync(path, bytes)
}

function loadSegments(bytes: Buffer): Segment[] {
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes.readUInt16LE(18) !== EM_X86_64)
    throw new Error("not an ELF executable for x86-64")
  const table = Number(bytes.readBigUInt64LE(32))
  const size = bytes.readUInt16LE(54)
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => {
    const header = table + i * size
    const number = (field: number) => Number(bytes.readBigUInt64LE(header + field))
    return {
      header,
      type: bytes.readUInt32LE(header),
      flags: bytes.readUInt32LE(header + 4),
      offset: number(8),
      address: number(16),
      fileSize: number(32),
    }
  }).filter(({ type }) => type === PT_LOAD)
}

/**
 * Machine code of the check, followed by its message.
 * @param entry distance of the runtime's entry point from the first byte
 */
function checkCode(entry: number): Uint8Array {
  const rel32 = (value: number) => [...new Uint8Array(new Int32Array([value]).buffer)]
  const WRITE = 1
  const EXIT = 60
  // rdx is the loader's argument to the entry point.
  const test = [
    [0x48, 0x89, 0xd6], // mov rsi, rdx
    [0x6a, 0x01, 0x58], // push 1; pop rax
    [0x0f, 0xa2], // cpuid
    [0x48, 0x89, 0xf2], // mov rdx, rsi
    [0x0f, 0xba, 0xe1, 20], // bt ecx, 20
  ].flat()
  const failure = [
    [0x6a, WRITE, 0x58], // push; pop rax
    [0x6a, 2, 0x5f], // push; pop rdi
    [0x6a, MESSAGE.length, 0x5a], // push; pop rdx
    [0x48, 0x8d, 0x35, ...rel32(10)], // lea rsi, [message]
    [0x0f, 0x05], // syscall
    [0x6a, EXIT, 0x58], // push; pop rax
    [0x6a, ExitCode.selfTest, 0x5f], // push; pop rdi
    [0x0f, 0x05], // syscall
  ].flat()
  const jump = test.length + 6
  return Buffer.concat([
    new Uint8Array([...test, 0x0f, 0x82, ...rel32(entry - jump), ...failure]), // jc entry
    Buffer.from(MESSAGE),
  ])
}
