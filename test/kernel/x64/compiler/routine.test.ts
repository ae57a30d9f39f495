import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { immediate, memory, rdi, type VirtualRegister } from "../../../../src/kernel/x64/assembler/operands.ts"
import { zen3 } from "../../../../src/kernel/x64/compiler/machine.ts"
import { Routine } from "../../../../src/kernel/x64/compiler/routine.ts"
import { cpuFeatures } from "../../../../src/kernel/x64/cpuid.ts"
import { loadCode, mapPages } from "../../../../src/kernel/x64/memory.ts"

const SLOTS = 6
const SPILL = 4096
const WORD = 2n ** 64n

/** Loads and stores slots of four words, and computes; values by number, taken modulo those there are. */
type Action =
  | { readonly kind: "load"; readonly slot: number }
  | { readonly kind: "store"; readonly slot: number; readonly value: number }
  | { readonly kind: "vpaddq" | "vpsubq" | "vpxor" | "vpmuludq"; readonly a: number; readonly b: number }
  | { readonly kind: "vpsrlq"; readonly a: number; readonly bits: number }
  | { readonly kind: "vmovdqu"; readonly a: number }

const number = fc.nat(1000)
const slot = fc.nat(SLOTS - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant("load" as const), slot }),
  fc.record({ kind: fc.constant("store" as const), slot, value: number }),
  fc.record({ kind: fc.constantFrom("vpaddq", "vpsubq", "vpxor", "vpmuludq"), a: number, b: number }),
  fc.record({ kind: fc.constant("vpsrlq" as const), a: number, bits: fc.nat(63) }),
  fc.record({ kind: fc.constant("vmovdqu" as const), a: number }),
)

function render(actions: readonly Action[], registers: number, window: number): Uint8Array {
  const routine = new Routine({
    machine: zen3,
    window,
    pressure: registers - 1,
    readOnly: new Set(),
    registers: { integer: [], vector: Array.from({ length: registers }, (_, i) => i), mask: [] },
    spillSlot: n => memory(rdi, SPILL + 32 * n),
  })
  routine.hot = true
  const place = (n: number) => memory(rdi, 32 * n)
  const values: VirtualRegister[] = []
  const result = (mnemonic: string, ...operands: Parameters<Routine["emit"]>[1][]) => {
    const register = routine.register("ymm")
    routine.emit(mnemonic, register, ...operands)
    values.push(register)
  }
  result("vmovdqu", place(0))
  const value = (n: number) => values[n % values.length]!
  for (const act of actions) {
    if (act.kind === "load") result("vmovdqu", place(act.slot))
    else if (act.kind === "store") routine.emit("vmovdqu", place(act.slot), value(act.value))
    else if (act.kind === "vpsrlq") result(act.kind, value(act.a), immediate(act.bits))
    else if (act.kind === "vmovdqu") result(act.kind, value(act.a))
    else result(act.kind, value(act.a), value(act.b))
  }
  values.slice(-12).forEach((register, i) => {
    routine.emit("vmovdqu", place(SLOTS + i), register)
  })
  routine.control("vzeroupper")
  routine.control("ret")
  return routine.finish()
}

/** What the actions mean for one lane. @returns slots, then the last values */
function meaning(actions: readonly Action[], slots: bigint[]): bigint[] {
  const values = [slots[0]!]
  const value = (n: number) => values[n % values.length]!
  const low = (x: bigint) => x % 2n ** 32n
  for (const act of actions) {
    if (act.kind === "load") values.push(slots[act.slot]!)
    else if (act.kind === "store") slots[act.slot] = value(act.value)
    else if (act.kind === "vpsrlq") values.push(value(act.a) >> BigInt(act.bits))
    else if (act.kind === "vmovdqu") values.push(value(act.a))
    else {
      const [a, b] = [value(act.a), value(act.b)]
      const results = { vpaddq: a + b, vpsubq: a - b + WORD, vpxor: a ^ b, vpmuludq: low(a) * low(b) }
      values.push(results[act.kind] % WORD)
    }
  }
  return [...slots, ...values.slice(-12)]
}

const canRun = process.arch === "x64" && process.platform === "linux" && cpuFeatures().has("avx2")

describe.skipIf(!canRun)(`code put together${canRun ? "" : " (skipped: no AVX2 here)"}`, () => {
  test.each([
    [16, 60],
    [5, 60],
    [3, 1],
    [4, 1000],
  ])("means the same with %i registers and scheduled %i ahead", (registers, window) => {
    const pages = mapPages(65536)
    const words = new BigUint64Array(pages.buffer)
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), actions => {
        const slots = Array.from({ length: SLOTS }, (_, i) => BigInt.asUintN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n))
        for (let i = 0; i < SLOTS; i++) for (let lane = 0; lane < 4; lane++) words[4 * i + lane] = slots[i]!
        const code = loadCode(render(actions, registers, window))
        code.entry(0)(pages.address)
        code.free()
        const expected = meaning(actions, slots)
        expect(expected.map((_, i) => words[4 * i + 3]!)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
    pages.free()
  })
})
