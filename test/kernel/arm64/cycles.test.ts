import { describe, expect, test } from "bun:test"
import { BARS, predictedCycles } from "../../../scripts/arm64-tables.ts"
import { CORES } from "../../../scripts/kernel/arm64-cores.ts"
import { boundPerPass, cyclesPerPass, parseInstruction } from "../../../scripts/kernel/simulate.ts"

const { m1, n1 } = CORES as Record<"m1" | "n1", (typeof CORES)[string]>

const repeat = (count: number, text: (n: number) => string): string[] =>
  Array.from({ length: count }, (_, n) => text(n))

describe("the simulated core", () => {
  test.each([
    ["a chain waits for each latency", ["mul x1, x1, x2", "add x1, x1, x3"], 4],
    ["independent additions share six ports", repeat(12, n => `add x${n}, x20, x21`), 2],
    ["flags have three ports", repeat(6, n => `adds x${n}, x20, x21`), 2],
    ["a shifted operand is a second execution", repeat(6, n => `sub x${n}, x20, x21, lsr #32`), 2],
    ["a load waits for the store to the same place", ["ldr x1, [x0, #8]", "str x1, [x0, #8]"], 5],
    ["a load does not wait for another place's store", ["ldr x1, [x0, #16]", "str x1, [x0, #8]"], 0.5],
    ["an accumulator is read", ["umlal v1.2d, v2.2s, v3.2s"], 3],
    ["flags pass from writer to reader", ["adds x1, x2, x1", "csetm w3, hs", "add x1, x1, x3"], 3],
    [
      "dispatch limits a mixed loop",
      [...repeat(4, n => `add x${n}, x20, x21`), ...repeat(4, n => `add v${n}.2d, v20.2d, v21.2d`)],
      1,
    ],
  ])("M1: %s", (_, loop, cycles) => {
    expect(cyclesPerPass(loop, m1, { passes: 60, warmUp: 20 })).toBeCloseTo(cycles, 0)
  })

  test("N1: a 64-bit product occupies the only multiplier for three cycles per half", () => {
    const loop = ["mul x1, x2, x3", "umulh x4, x2, x3"]
    expect(cyclesPerPass(loop, n1, { passes: 60, warmUp: 20 })).toBeCloseTo(6, 0)
    expect(boundPerPass(loop, n1)).toEqual({ cycles: 6, by: "m0" })
  })

  test("instructions are classified", () => {
    expect(parseInstruction("stp d8, d9, [x0, #16]")).toMatchObject({
      kind: "store",
      writes: [],
      reads: ["v8", "v9", "x0"],
      place: "x0 16",
      moved: 2,
    })
    expect(parseInstruction("umlal2 v1.2d, v2.4s, v3.s[1]")).toMatchObject({
      kind: "vector",
      reads: ["v2", "v3", "v1"],
    })
    expect(parseInstruction("csetm w3, hs")).toMatchObject({ kind: "integer", writes: ["x3"], reads: ["f"] })
  })
})

test.each(BARS)(
  "the prediction of $engine for $core meets the goal of $goal",
  ({ core, engine, goal, compiler }) => {
    expect(predictedCycles(core, engine)).toBeLessThanOrEqual(goal)
    if (compiler !== undefined) expect(goal).toBeLessThan(compiler)
  },
  60_000,
)
