import { expect, test } from "bun:test"
import { compareKernels } from "../../scripts/kernel/compare.ts"
import { countSection, listKernel } from "../../scripts/kernel/listing.ts"
import { perfMapOf } from "../../scripts/kernel/perf-map.ts"
import type { Kernel } from "../../src/kernel/kernel.ts"
import { avx2 } from "../../src/kernel/x64/program/render-targets.ts"

test("a listing covers all code, and its spills equal the allocator's count", () => {
  const { kernel, sections } = listKernel(avx2)
  const counts = sections.map(countSection)
  const sum = (of: "bytes" | "spills") => counts.reduce((total, count) => total + count[of], 0)
  expect(sum("bytes")).toBe(kernel.codeBytes)
  expect(sum("spills")).toBe(kernel.statistics.stores)
  const internal = sections.find(({ label }) => label.startsWith("internal-round"))!
  expect(internal.instructions[0]!.text).toMatch(/^[a-z]\w* /)
  expect(countSection(internal).vector).toBeGreaterThan(100)
})

test("the map for perf names all code, at its address", () => {
  const { kernel, sections } = listKernel(avx2)
  const lines = perfMapOf("avx2", sections, 0x10000).trimEnd().split("\n")
  expect(lines[0]).toMatch(/^10000 [0-9a-f]+ avx2:permute\.\d+$/)
  let next = 0x10000
  for (const line of lines) {
    const [address, size] = line.split(" ").map(field => Number.parseInt(field, 16))
    expect(address).toBe(next)
    next += size!
  }
  expect(next).toBe(0x10000 + kernel.codeBytes)
})

test("timings are rates, and ratios to the first kernel's rate per sample", () => {
  let seconds = 0
  const kernel = (name: string, cost: number): Kernel => ({
    name,
    row: 100,
    hits: new Uint32Array(100),
    permute: () => {},
    setTarget: () => {},
    preparePlane: () => {},
    prepareRange: () => {},
    searchRange: () => 0,
    searchRow: () => {
      seconds += cost
      return 0
    },
    close: () => {},
  })
  const timings = compareKernels([kernel("slow", 0.5), kernel("fast", 0.25)], 5, () => seconds)
  expect(timings).toEqual([
    { name: "slow", median: 200, best: 200, ratio: 1 },
    { name: "fast", median: 400, best: 400, ratio: 2 },
  ])
})
