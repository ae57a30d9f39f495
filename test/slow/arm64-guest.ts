/**
 * The suites of one arm64 kernel, natively on arm64 or under qemu-user, which `arm64.test.ts` starts. Not a test by itself:
 * `bun test ./test/slow/arm64-guest.ts` with the kernel's name in `KERNEL`, or `operations`.
 */
import { describe, expect, test } from "bun:test"
import { createArm64Kernel, renderArm64Kernel } from "../../src/kernel/arm64/arm64-kernel.ts"
import { Assembler, formOf } from "../../src/kernel/arm64/assembler/assembler.ts"
import { memory, v, x } from "../../src/kernel/arm64/assembler/operands.ts"
import { parseTable } from "../../src/kernel/arm64/assembler/table.ts"
import { narrowCore, scalableCore } from "../../src/kernel/arm64/compiler/core-models.ts"
import { inContext, SAVED_INTEGERS, SAVED_VECTORS } from "../../src/kernel/arm64/registers.ts"
import { begin, beginRoutine, ENTRIES, end } from "../../src/kernel/arm64/render.ts"
import type { Arm64KernelName, Recipe } from "../../src/kernel/arm64/targets.ts"
import { label } from "../../src/kernel/compiler/operands.ts"
import { loadCode, mapPages } from "../../src/kernel/native/memory.ts"
import { kernelSuite } from "../kernel/kernel-suite.ts"
import { opsSuite, type Program } from "../kernel/ops-suite.ts"

const name = process.env["KERNEL"]

if (name === "operations") {
  const scalable: Recipe = { sets: ["sve2", "word"], core: scalableCore, isShifted: true, window: 200 }
  operations("scalable vectors", scalable, 1)
  for (const isShifted of [true, false]) {
    const recipe: Recipe = { sets: ["neon", "word"], core: narrowCore, isShifted, window: 200 }
    const form = isShifted ? "shifted operands" : "plain operands"
    operations(`vectors, beside integers with ${form}`, recipe, 1)
    operations(`integers with ${form}`, recipe, 2)
  }
} else {
  kernelSuite(name!, async () => createArm64Kernel(name as Arm64KernelName))
  preservation(name as Arm64KernelName)
}

/** @param lane the lane whose results are compared */
function operations(title: string, recipe: Recipe, lane: number): void {
  opsSuite(title, {
    // Products are reduced before they are added, so a sum multiplies a dropped carry.
    droppedCarries: 100,
    compile: (program, inputs) => compile(recipe, program, inputs, lane),
  })
}

async function compile(recipe: Recipe, program: Program, inputs: number, lane: number) {
  const { routine, steps, ops, layout } = beginRoutine(recipe)
  const stride = ops.lanes + (ops.lanes % 2)
  begin(routine, steps, layout)
  const words = Array.from({ length: inputs }, (_, i) => ops.broadcast(inContext(layout.input + 8 * i)))
  const results = program(ops, words)
  // The columns are unused, because no row is searched.
  for (const [i, result] of results.entries()) ops.store(inContext(layout.columns + 8 * stride * i), result)
  end(routine, layout)
  routine.hot = true
  steps.finish()
  const context = mapPages(layout.size)
  const run = loadCode(routine.finish()).entry(0)
  const input = new BigUint64Array(context.buffer, layout.input, inputs)
  const output = new BigUint64Array(context.buffer, layout.columns, results.length * stride)
  return (values: readonly bigint[]) => {
    input.set(values)
    run(context.address)
    return results.map((_, i) => output[i * stride + lane]!)
  }
}

/** Calls each entry point with known values in the registers that it must preserve. */
function preservation(name: Arm64KernelName): void {
  describe(`kernel ${name} preserves the caller's registers`, () => {
    const { code, layout, entries } = renderArm64Kernel(name)
    const loaded = loadCode(code)
    const context = mapPages(layout.size)
    const words = new BigUint64Array(context.buffer)
    words[layout.batches / 8] = 1n
    test.each(ENTRIES)("in %s", entry => {
      words[layout.input / 8] = BigInt(loaded.address)
      words[layout.input / 8 + 1] = BigInt(loaded.address + code.length)
      const { before, after } = callWithSentinels(loaded.address + entries[entry], context.address)
      expect(after).toEqual(before)
      expect(new Set(before).size).toBe(before.length)
    })
  })
}

const [BLR] = parseTable("blr Xn  1101011000111111000000nnnnn00000").values()

/** Byte offsets in the thunk's memory: entry and argument, then the caller's registers, sentinels, and what came back. */
const [OWN, BEFORE, AFTER] = [16, 176, 336]
/** x30 returns the address after the call. */
const REGISTERS = [...SAVED_INTEGERS.flat(), ...SAVED_VECTORS.flat()]
const LINK_INDEX = REGISTERS.indexOf(30)

function callWithSentinels(entry: number, argument: number): { before: bigint[]; after: bigint[] } {
  const pages = mapPages(4096)
  const words = new BigUint64Array(pages.buffer)
  const at = (offset: number) => words.subarray(offset / 8, offset / 8 + REGISTERS.length)
  words.set([BigInt(entry), BigInt(argument)])
  at(BEFORE).set(REGISTERS.map((_, i) => 0x9e3779b97f4a7c15n * BigInt(i + 1)))
  const assembler = new Assembler()
  const each = (what: "ldp" | "stp", base: number, offset: number) =>
    [...SAVED_INTEGERS, ...SAVED_VECTORS].forEach(([a, b], i) => {
      const [kind, of] = i < SAVED_INTEGERS.length ? (["Xd, Xt", x] as const) : (["Dd, Dt", v] as const)
      assembler.emit(formOf(`${what} ${kind}, [Xn, #i*8]`), [of(a), of(b), memory(x(base), offset + 16 * i)])
    })
  const own = label("own")
  each("stp", 0, OWN)
  each("ldp", 0, BEFORE)
  assembler.emit(formOf("ldr Xd, [Xn, #i*8]"), [x(16), memory(x(0), 0)])
  assembler.emit(formOf("ldr Xd, [Xn, #i*8]"), [x(0), memory(x(0), 8)])
  assembler.emit(BLR!, [x(16)])
  assembler.emit(formOf("adr Xd, label"), [x(9), own])
  assembler.emit(formOf("ldr Xd, [Xn, #i*8]"), [x(9), memory(x(9), 0)])
  each("stp", 9, AFTER)
  each("ldp", 9, OWN)
  assembler.emit(formOf("ret"), [])
  assembler.data(own, [BigInt(pages.address)])
  loadCode(assembler.finish()).entry(0)(pages.address)
  const read = (offset: number) => [...at(offset)].filter((_, i) => i !== LINK_INDEX)
  return { before: read(BEFORE), after: read(AFTER) }
}

if (name === "operations")
  test("the thunk of the preservation test reports a register that changed", () => {
    const assembler = new Assembler()
    assembler.emit(formOf("mov Xd, #i"), [x(19), { kind: "immediate", value: 5 }])
    assembler.emit(formOf("ret"), [])
    const { before, after } = callWithSentinels(loadCode(assembler.finish()).address, 0)
    expect(after[0]).toBe(5n)
    expect(after.slice(1)).toEqual(before.slice(1))
  })
