/** Assembles the PTX text with NVIDIA's `ptxas` for one architecture. `scripts/gpu-counts.ts` covers more. */
import { describe, expect, test } from "bun:test"
import { assemble, tools } from "../../../scripts/sass.ts"

const missing = (["ptxas", "nvdisasm"] as const).find(name => tools[name] === undefined)
const skipped = missing ? ` (skipped: needs ${missing} in PATH or $${missing.toUpperCase()})` : ""

const PAIRS = { groupSize: 128, form: "pairs", registers: 76, rolled: true } as const

const assembled = (build: Parameters<typeof assemble>[1], architecture: string) =>
  assemble(tools.ptxas!, build, architecture)

const instructionsOf = ({ counts }: ReturnType<typeof assemble>): number =>
  counts!.wide + counts!.multiplyAdd + counts!.logic + counts!.other

describe.skipIf(missing !== undefined)(`ptxas${skipped}`, () => {
  const architecture = "sm_90"
  test(`assembles the kernels for ${architecture} without spilling`, () => {
    const result = assembled({ groupSize: 128, registers: 168 }, architecture)
    expect(result.spilled).toBe(0)
    expect(result.registers).toBeLessThanOrEqual(168)
    // The count in `docs/gpu.md`, with a margin for other versions of the assembler.
    expect(instructionsOf(result)).toBeLessThan(22_000)
  }, 60_000)

  test.each([
    ...["sm_75", "sm_80", "sm_89", "sm_90", "sm_100"].map(architecture => [architecture, PAIRS, 21_400] as const),
    ["sm_120", { groupSize: 128, form: "multiplier", registers: 128, rolled: true }, 21_600],
  ] as const)(
    "assembles the default build for %s without spilling, into 32 KiB",
    (architecture, build, instructions) => {
      const result = assembled(build, architecture)
      expect(result.spilled).toBe(0)
      expect(result.bytes).toBeLessThanOrEqual(32 * 1024)
      expect(instructionsOf(result)).toBeLessThanOrEqual(instructions)
    },
    60_000,
  )
})
