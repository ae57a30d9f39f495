import { expect, test } from "bun:test"
import { kernelsOf } from "../../src/commands/opened-engines.ts"

const withTwo = (engine: string): string[] => (engine === "avx2" ? [engine, "avx2:2"] : [engine])

test("the variants of the named engine are measured, and with auto those of every engine", () => {
  expect(kernelsOf("avx2", withTwo)).toEqual(["avx2", "avx2:2"])
  expect(kernelsOf("wasm", withTwo)).toEqual(["wasm"])
  const all = kernelsOf("auto", withTwo)
  expect(all.slice(0, 4)).toEqual(["avx512", "avx512-limbs", "avx2", "avx2:2"])
  expect(all.indexOf("scalar")).toBeGreaterThan(all.indexOf("avx2:2"))
  expect(all.indexOf("wasm")).toBeGreaterThan(all.indexOf("scalar"))
})

test("a variant is no public engine name", () => {
  expect(() => kernelsOf("avx2:2", withTwo)).toThrow("--engine avx2:2 is unknown")
})
