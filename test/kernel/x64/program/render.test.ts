import { describe, expect, test } from "bun:test"
import { loadCode, mapPages } from "../../../../src/kernel/native/memory.ts"
import { renderX64Kernel } from "../../../../src/kernel/x64/x64-kernel.ts"
import { refusalOf } from "../../../support/kernels.ts"

const KERNELS = ["avx2", "avx512", "avx512-limbs", "scalar", "scalar:bmi2"]
const ENTRIES = ["permute", "preparePlane", "searchRow", "searchRange"] as const

/** Registers that a function must preserve (System V AMD64 ABI, 3.2.1); rsp is checked by the return itself. */
const CALLEE_SAVED = ["rbx", "rbp", "r12", "r13", "r14", "r15"] as const
/** `push`, `mov register, imm64`, `mov [rdi + 16 + 8 i], register` and `pop` of each. */
const PUSH = [[0x53], [0x55], [0x41, 0x54], [0x41, 0x55], [0x41, 0x56], [0x41, 0x57]]
const SET = [0x48bb, 0x48bd, 0x49bc, 0x49bd, 0x49be, 0x49bf]
const STORE = [0x48895f, 0x48896f, 0x4c8967, 0x4c896f, 0x4c8977, 0x4c897f]
const POP = [[0x5b], [0x5d], [0x41, 0x5c], [0x41, 0x5d], [0x41, 0x5e], [0x41, 0x5f]]
/** Size of the trampoline; keeps the alignment of the constants behind the code. */
const TRAMPOLINE_BYTES = 192

const sentinel = (i: number): bigint => 0xa5a5_0000_dead_bee0n + BigInt(i)

/**
 * A function that sets every callee-saved register to a sentinel, calls the code at `entry` bytes behind it, and stores
 * the registers. It takes a pointer to: the callee's argument, an unused word, and a word for each register.
 */
function trampoline(entry: number): Uint8Array {
  const bytes = [...PUSH.flat(), 0x57]
  SET.forEach((opcode, i) => {
    const value = new Uint8Array(BigUint64Array.of(sentinel(i)).buffer)
    bytes.push(opcode >> 8, opcode & 0xff, ...value)
  })
  // mov rdi, [rdi]; call rel32; pop rdi
  bytes.push(0x48, 0x8b, 0x3f, 0xe8)
  bytes.push(...new Uint8Array(Int32Array.of(TRAMPOLINE_BYTES + entry - (bytes.length + 4)).buffer), 0x5f)
  STORE.forEach((opcode, i) => {
    bytes.push(opcode >> 16, (opcode >> 8) & 0xff, opcode & 0xff, 16 + 8 * i)
  })
  bytes.push(...POP.toReversed().flat(), 0xc3)
  const code = new Uint8Array(TRAMPOLINE_BYTES)
  code.set(bytes)
  return code
}

/** Calls the code at `entry`. @returns the callee-saved registers that it changed */
function clobbered(code: Uint8Array, entry: number, argument: number): string[] {
  const pages = mapPages(64)
  const words = new BigUint64Array(pages.buffer)
  words[0] = BigInt(argument)
  const loaded = loadCode(new Uint8Array([...trampoline(entry), ...code]))
  try {
    loaded.entry(0)(pages.address)
    return CALLEE_SAVED.filter((_, i) => words[2 + i] !== sentinel(i))
  } finally {
    loaded.free()
    pages.free()
  }
}

describe.skipIf(process.platform !== "linux" || process.arch !== "x64")("callee-saved registers", () => {
  for (const engine of KERNELS) {
    const why = refusalOf(engine)
    test.skipIf(why !== undefined)(
      `are preserved by every entry of ${engine}${why ? ` (skipped: ${why})` : ""}`,
      () => {
        const { code, entries, layout } = renderX64Kernel(engine)
        const context = mapPages(layout.size)
        new BigUint64Array(context.buffer, layout.batches, 1)[0] = 1n
        const changed = ENTRIES.map(entry => [entry, clobbered(code, entries[entry], context.address)] as const)
        context.free()
        expect(changed).toEqual(ENTRIES.map(entry => [entry, []]))
      },
    )
  }

  test("a function that changes each of them is detected", () => {
    // mov r64, 0 for each register; ret
    const zero = SET.flatMap(opcode => [opcode >> 8, opcode & 0xff, ...new Uint8Array(8)])
    expect(clobbered(new Uint8Array([...zero, 0xc3]), 0, 0)).toEqual([...CALLEE_SAVED])
  })
})
