import { describe, expect, test } from "bun:test"
import { loadCode, mapPages } from "../../../../src/kernel/native/memory.ts"
import { Assembler } from "../../../../src/kernel/x64/assembler/assembler.ts"
import {
  format,
  immediate,
  memory,
  type Register,
  r64,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  xmm,
} from "../../../../src/kernel/x64/assembler/operands.ts"
import { loadX64Code } from "../../../../src/kernel/x64/runtime/load-x64.ts"
import { windowsThunk } from "../../../../src/kernel/x64/runtime/windows-thunk.ts"
import { renderX64Kernel, type X64KernelName } from "../../../../src/kernel/x64/x64-kernel.ts"
import { refusalOf } from "../../../support/kernels.ts"

/** Registers that a function must preserve on Windows; rsp is checked by the return itself. */
const INTEGERS = [rbx, rbp, rdi, rsi, ...[12, 13, 14, 15].map(r64)]
const VECTORS = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(xmm)
const PRESERVED = [...INTEGERS, ...VECTORS]

/** Words that the probe reads: argument, function, thunk; then 16 bytes for each register. */
const REGISTERS_AT = 32
const placeOf = (base: Register, i: number) => memory(base, REGISTERS_AT + 16 * i)

/**
 * A function that takes, in rdi, the address of the words above. It sets the registers to the values there, calls the
 * thunk with argument and function as Windows passes them, and stores the registers to the same places.
 */
function probe(): Uint8Array {
  const assembler = new Assembler()
  const kept = [rbx, rbp, ...[12, 13, 14, 15].map(r64), rdi]
  for (const register of kept) assembler.emit("push", [register])
  assembler.emit("mov", [rcx, memory(rdi)])
  assembler.emit("mov", [rdx, memory(rdi, 8)])
  assembler.emit("mov", [rax, memory(rdi, 16)])
  const move = (register: Register) => (register.class === "xmm" ? "movups" : "mov")
  // rdi is the base, so it is set last.
  const order = [...PRESERVED.keys()].filter(i => PRESERVED[i] !== rdi)
  for (const i of [...order, PRESERVED.indexOf(rdi)])
    assembler.emit(move(PRESERVED[i]!), [PRESERVED[i]!, placeOf(rdi, i)])
  assembler.emit("call", [rax])
  assembler.emit("pop", [rax])
  PRESERVED.forEach((register, i) => {
    assembler.emit(move(register), [placeOf(rax, i), register])
  })
  assembler.emit("mov", [rdi, rax])
  for (const register of kept.slice(0, -1).toReversed()) assembler.emit("pop", [register])
  assembler.emit("ret")
  return assembler.finish()
}

const sentinel = (i: number) => 0xa5a5_0000_dead_bee0n + BigInt(i)

/** Calls `target` through a function by Windows' convention. @returns the registers that changed */
function changedBy(thunk: number, target: number, argument: number): string[] {
  const pages = mapPages(4096)
  const words = new BigUint64Array(pages.buffer)
  words.set([argument, target, thunk].map(BigInt))
  words.forEach((_, i) => {
    if (i >= REGISTERS_AT / 8) words[i] = sentinel(i)
  })
  const code = loadX64Code(probe())
  try {
    code.entry(0)(pages.address)
    return PRESERVED.filter((register, k) => {
      const i = REGISTERS_AT / 8 + 2 * k
      return words[i] !== sentinel(i) || (register.class === "xmm" && words[i + 1] !== sentinel(i + 1))
    }).map(format)
  } finally {
    code.free()
    pages.free()
  }
}

const ENGINES: readonly X64KernelName[] = ["avx2", "avx512", "avx512-limbs", "scalar"]

describe.skipIf(process.arch !== "x64")("registers that Windows preserves", () => {
  for (const engine of ENGINES) {
    const why = refusalOf(engine)
    const title = `survive every entry of ${engine}${why ? ` (skipped: ${why})` : ""}`
    test.skipIf(why !== undefined)(title, () => {
      const { code, entries, layout } = renderX64Kernel(engine)
      const context = mapPages(layout.size)
      new BigUint64Array(context.buffer, layout.batches, 1)[0] = 1n
      const [kernel, thunk] = [loadCode(code), loadCode(windowsThunk())]
      const changed = Object.entries(entries).map(([name, offset]) => [
        name,
        changedBy(thunk.address, kernel.address + offset, context.address),
      ])
      for (const { free } of [kernel, thunk, context]) free()
      expect(changed).toEqual(Object.keys(entries).map(name => [name, []]))
    })
  }

  test("survive a function that changes all of them that System V does not preserve, but only through the thunk", () => {
    const assembler = new Assembler()
    for (const register of [rdi, rsi]) assembler.emit("mov", [register, immediate(0)])
    for (const register of VECTORS) assembler.emit("movups", [register, memory(rax)])
    assembler.emit("ret")
    const pages = mapPages(64)
    const [thunk, careless] = [loadCode(windowsThunk()), loadCode(assembler.finish())]
    // `rax` holds the address that was called, so the vectors become bytes of code.
    expect(changedBy(thunk.address, careless.address, pages.address)).toEqual([])
    expect(changedBy(careless.address, careless.address, pages.address)).toEqual([rdi, rsi, ...VECTORS].map(format))
    for (const { free } of [thunk, careless, pages]) free()
  })

  test("get the pointer to the function, and its result back", () => {
    const assembler = new Assembler()
    assembler.emit("mov", [rax, memory(rdi)])
    assembler.emit("ret")
    const pages = mapPages(64)
    new BigUint64Array(pages.buffer)[0] = 0x1234_5678n
    const callee = loadX64Code(assembler.finish())
    expect(callee.entry(0)(pages.address)).toBe(0x1234_5678)
    callee.free()
    pages.free()
  })
})
