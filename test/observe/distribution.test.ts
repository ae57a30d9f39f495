import { expect, test } from "bun:test"
import { Distribution } from "../../src/observe/distribution.ts"

test("a distribution counts values at or below each bound", () => {
  const distribution = new Distribution([1, 2, 5])
  for (const value of [0, 1, 1.5, 2, 4, 100]) distribution.add(value)
  expect(distribution.cumulative).toEqual([2, 4, 5])
  expect(distribution.count).toBe(6)
  expect(distribution.sum).toBe(108.5)
})
