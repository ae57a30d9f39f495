import { describe, expect, test } from "bun:test"
import { SPILL_ROOMS } from "../../../src/kernel/arm64/context.ts"
import { beginRoutine as beginArm64Routine } from "../../../src/kernel/arm64/render.ts"
import { RECIPES } from "../../../src/kernel/arm64/targets.ts"
import { ROW } from "../../../src/kernel/kernel.ts"
import { layOut, rowOf, spillOffsets, wordsFrom } from "../../../src/kernel/native/context.ts"
import { beginRoutine } from "../../../src/kernel/x64/program/render.ts"
import { avx2, avx512 } from "../../../src/kernel/x64/program/render-targets.ts"

test("areas follow each other at multiples of a cache line", () => {
  expect(layOut({ a: 1, b: 64, c: 65, d: 0 })).toEqual({ a: 0, b: 64, c: 128, d: 256, size: 256 })
  expect(wordsFrom(128, ["x", "y"])).toEqual({ x: 128, y: 136 })
})

test("a row has whole batches", () => {
  expect(rowOf(16)).toEqual({ rowBatches: ROW / 16, rowColumns: ROW })
  expect(rowOf(18)).toEqual({ rowBatches: 15, rowColumns: 270 })
})

describe.each([
  ["avx2", beginRoutine(avx2).layout, { vector: { bytes: 32, max: 128 }, integer: { bytes: 8, max: 64 } }],
  ["avx512", beginRoutine(avx512).layout, { vector: { bytes: 64, max: 128 }, integer: { bytes: 8, max: 64 } }],
  ["arm64", beginArm64Routine(RECIPES["arm64-mixed"]).layout, SPILL_ROOMS],
] as const)("spilled values of %s", (_, layout, rooms) => {
  const offset = spillOffsets(layout, rooms)

  test("stay within their areas", () => {
    expect(offset("vector", 0)).toBe(layout.spilledVectors)
    const end = offset("vector", rooms.vector.max - 1) + rooms.vector.bytes
    expect(end).toBeLessThanOrEqual(layout.spilledIntegers)
    expect(offset("integer", rooms.integer.max - 1) + 8).toBeLessThanOrEqual(layout.plane)
  })

  test("beyond them are an error", () => {
    expect(() => offset("vector", rooms.vector.max)).toThrow(RangeError)
    expect(() => offset("integer", rooms.integer.max)).toThrow(RangeError)
  })
})
