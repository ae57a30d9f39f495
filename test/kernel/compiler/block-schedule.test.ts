import { expect, test } from "bun:test"
import fc from "fast-check"
import { selfTest } from "../../../src/engines/self-test.ts"
import { blockId, type Schedules, shiftUrgencies } from "../../../src/kernel/compiler/block-schedule.ts"
import { select } from "../../../src/kernel/x64/assembler/encode.ts"
import { instructions } from "../../../src/kernel/x64/assembler/instructions.ts"
import { memory, rdi, type VirtualOperand, type VirtualRegister } from "../../../src/kernel/x64/assembler/operands.ts"
import { CORE_SCHEDULES } from "../../../src/kernel/x64/program/core-schedules.ts"
import { renderKernel } from "../../../src/kernel/x64/program/render.ts"
import { VARIANTS } from "../../../src/kernel/x64/program/render-targets.ts"
import { loadKernel, renderX64Kernel } from "../../../src/kernel/x64/x64-kernel.ts"
import { refusalOf } from "../../support/kernels.ts"

const ymm = (id: number): VirtualRegister => ({ kind: "virtual", class: "ymm", id })
const block = (...code: [mnemonic: string, ...operands: VirtualOperand[]][]) =>
  code.map(([mnemonic, ...operands]) => ({ form: select(instructions.get(mnemonic)!, operands)!, operands }))
const twoLoads = (a: number, b: number, at: number) =>
  block(["vmovdqu", ymm(a), memory(rdi)], ["vmovdqu", ymm(b), memory(rdi, at)], ["vpaddq", ymm(a), ymm(a), ymm(b)])

test("a block is identified by its contents, not by the numbers of its registers", () => {
  const id = blockId(twoLoads(0, 1, 32))
  expect(id).toMatch(/^3-[0-9a-f]{8}$/)
  expect(blockId(twoLoads(70, 50, 32))).toBe(id)
  expect(blockId(twoLoads(0, 1, 64))).not.toBe(id)
  expect(blockId(twoLoads(0, 1, 32).with(2, block(["vpsubq", ymm(0), ymm(0), ymm(1)])[0]!))).not.toBe(id)
  expect(blockId(twoLoads(0, 1, 32).with(2, block(["vpaddq", ymm(0), ymm(1), ymm(0)])[0]!))).not.toBe(id)
})

test("shifts change the urgencies of a run, by an amount or by pseudorandom values within it", () => {
  const shifted = (seed: number) => {
    const urgency = new Float64Array(6)
    shiftUrgencies(urgency, [[2, 3, 4, seed]])
    return [...urgency]
  }
  expect(shifted(0)).toEqual([0, 0, 4, 4, 4, 0])
  const values = shifted(17)
  expect(shifted(17)).toEqual(values)
  expect(shifted(18)).not.toEqual(values)
  expect(values.map(value => value !== 0)).toEqual([false, false, true, true, true, false])
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(4)
})

const why = refusalOf("avx2")
test.skipIf(why !== undefined)(
  `any schedule computes the same results${why ? ` (skipped: ${why})` : ""}`,
  () => {
    const plain = renderX64Kernel("avx2", { schedules: {} })
    const shift = fc.tuple(fc.nat(400), fc.nat(400), fc.integer({ min: -16, max: 16 }), fc.nat(1000))
    const changes = fc.record({
      window: fc.integer({ min: 1, max: 400 }),
      pressure: fc.integer({ min: -6, max: 2 }),
      later: fc.double({ min: 0, max: 0.5, noNaN: true }),
      shifts: fc.array(shift, { maxLength: 4 }),
    })
    fc.assert(
      fc.property(changes, change => {
        const schedules = Object.fromEntries(plain.hotBlocks.map(({ id }) => [id, change]))
        const orders = new Map()
        const first = renderX64Kernel("avx2", { schedules, orders })
        expect(first.code).not.toEqual(plain.code)
        // Orders that are known already give the same code.
        expect(renderX64Kernel("avx2", { schedules, orders }).code).toEqual(first.code)
        const kernel = loadKernel("avx2", first)
        expect(selfTest(kernel)).toBeUndefined()
        kernel.close()
      }),
      { numRuns: 2 },
    )
  },
  60_000,
)

const rows = CORE_SCHEDULES.flatMap(({ core, kernels }) =>
  Object.entries(kernels).map(([kernel, schedules]): [string, string, Schedules] => [core, kernel, schedules]),
)

test.each(rows)("the schedules for %s belong to blocks that %s has", (_, kernel, schedules) => {
  const blocks = renderKernel(VARIANTS[kernel]!.target).hotBlocks.map(({ id }) => id)
  expect(Object.keys(schedules).filter(id => !blocks.includes(id))).toEqual([])
})
