import { expect, test } from "bun:test"
import { LimbOps } from "../../../src/kernel/limbs/limb-ops.ts"
import { PtxModule, PtxText } from "../../../src/kernel/ptx/ptx-text.ts"

test("a carry that a later instruction has replaced is refused", () => {
  const text = new PtxText(new PtxModule())
  const [sum, carry] = text.addOut("%r0", "%r1")
  expect(text.addIn(sum, "0", carry)).toBe("%r1")
  text.addOut(sum, sum)
  expect(() => text.addIn(sum, "0", carry)).toThrow(RangeError)
})

test("arithmetic that keeps several carries is refused", () => {
  const ops = new LimbOps(new PtxText(new PtxModule()), "carries")
  expect(() => ops.square(["%r0", "%r1"])).toThrow("the carry is no longer in the carry flag")
})
