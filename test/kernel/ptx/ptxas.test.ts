/** Assembles the PTX text with NVIDIA's `ptxas` for one architecture. `scripts/gpu-counts.ts` covers more. */
import { describe, expect, test } from "bun:test"
import { assemble, tools } from "../../../scripts/sass.ts"

const { ptxas } = tools

const PAIRS = { groupSize: 128, form: "pairs", registers: 76, rolled: true } as const

describe("ptxas", () => {
  if (ptxas === undefined) {
    test.skip("assembles the kernels (skipped: no ptxas in PATH or $PTXAS; PyPI has nvidia-cuda-nvcc-cu12)", () => {})
    return
  }
  const architecture = "sm_90"
  test(`assembles the kernels for ${architecture} without spilling`, () => {
    const { registers, spilled, counts } = assemble(ptxas, { groupSize: 128, registers: 168 }, architecture)
    expect(spilled).toBe(0)
    expect(registers).toBeLessThanOrEqual(168)
    // The count in `docs/gpu.md`, with a margin for other versions of the assembler.
    if (counts) expect(counts.wide + counts.multiplyAdd + counts.logic + counts.other).toBeLessThan(22_000)
  }, 60_000)

  test.each([
    ...["sm_75", "sm_80", "sm_89", "sm_90", "sm_100"].map(architecture => [architecture, PAIRS, 21_400] as const),
    ["sm_120", { groupSize: 128, form: "multiplier", registers: 128, rolled: true }, 21_600],
  ] as const)(
    "assembles the default build for %s without spilling, into 32 KiB",
    (architecture, build, instructions) => {
      const { spilled, bytes, counts } = assemble(ptxas, build, architecture)
      expect(spilled).toBe(0)
      if (counts === undefined) return
      expect(bytes).toBeLessThanOrEqual(32 * 1024)
      expect(counts.wide + counts.multiplyAdd + counts.logic + counts.other).toBeLessThanOrEqual(instructions)
    },
    60_000,
  )
})
