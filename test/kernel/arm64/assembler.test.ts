import { describe, expect, test } from "bun:test"
import { encode, format } from "../../../src/kernel/arm64/assembler/assembler.ts"
import { FORMS } from "../../../src/kernel/arm64/assembler/instructions.ts"
import { memory, type Operand, v, x, ZERO } from "../../../src/kernel/arm64/assembler/operands.ts"
import { type Form, parseTable } from "../../../src/kernel/arm64/assembler/table.ts"
import { immediate, label } from "../../../src/kernel/compiler/operands.ts"
import { disassembler } from "../x64/assembler/disassembler.ts"

describe("instruction forms", () => {
  test.each([
    ["add Xd, Xn, Xm  1000  d", 'the encoding "1000" does not have 32 bits'],
    ["add Xd, Xn  10001011000mmmmm000000nnnnnddddd  d", "field m has no operand"],
    ["add Xd, Xn, Xm  10001011000111110000001111100000  d", "operand d has no field"],
    ["add Xd, Xn, Xm  10001011000mmmmm000000nnnnnddddd  q", "written but is not an operand"],
    ["add Xd, Xn, Xm  10001011000mmmm0000000nnnnnddddd  d", "does not have 5 bits"],
  ])("%s is rejected", (line, why) => {
    expect(() => parseTable(line)).toThrow(why)
  })

  test("operands that do not fit are rejected", () => {
    const form = FORMS.get("ldr Xd, [Xn, #i*8]")!
    expect(encode(form, [ZERO, memory(ZERO, 8 * 4095)])).toBe(0xf97fffff)
    for (const number of [4, -8, 8 * 4096]) expect(() => encode(form, [ZERO, memory(ZERO, number)])).toThrow(RangeError)
    expect(() => encode(FORMS.get("usra Vd.2D, Vn.2D, #64-i")!, [ZERO, ZERO, immediate(1)])).toThrow(
      "expected a register of file vector",
    )
  })
})

const tool = disassembler()

describe.skipIf(!tool)(`every form, read back by ${tool ?? "llvm-mc (not found)"}`, () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
  test(`random operands, SEED=${seed}`, () => {
    let state = seed
    const random = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
    const cases = [...FORMS.values()].flatMap(form => Array.from({ length: 24 }, () => sample(form, random)))
    const input = cases.map(
      ({ code }) => `[${[0, 8, 16, 24].map(shift => `0x${((code >>> shift) & 255).toString(16)}`).join(" ")}]`,
    )
    const run = Bun.spawnSync([tool!, "--disassemble", "--triple=aarch64", "--mattr=+sve2"], {
      stdin: Buffer.from(input.join("\n")),
      stderr: "pipe",
    })
    const read = run.stdout
      .toString()
      .split("\n")
      .filter(line => line.trim() && !line.trim().startsWith("."))
    expect(read.length, run.stderr.toString()).toBe(cases.length)
    const wrong = cases.flatMap(({ text, code }, i) =>
      normal(read[i]!) === normal(text)
        ? []
        : [`${code.toString(16)}: wrote ${normal(text)}, reads ${normal(read[i]!)}`],
    )
    expect(wrong.slice(0, 20)).toEqual([])
  })
})

function sample(form: Form, random: (n: number) => number): { text: string; code: number } {
  const distance = 4 * (random(2 ** 17) - 2 ** 16)
  const operands = form.operands.map((pattern): Operand => {
    // Some instructions use x31 as the stack pointer, so it is not tested.
    if (pattern.kind === "register") return pattern.file === "integer" ? x(random(31)) : v(random(32))
    if (pattern.kind === "label") return label("label")
    const bits = (letter: string) =>
      form.fields.get(letter)!.length + ((letter === "i" && form.fields.get("j")?.length) || 0)
    // llvm-mc does not print a shift by 0.
    const field = (letter: string) => 1 + random(2 ** bits(letter) - 1)
    if (pattern.kind === "memory") {
      const { displacement, scale } = pattern
      const least = form.mnemonic.endsWith("p") ? 2 ** (bits(displacement) - 1) : 0
      return memory(x(random(31)), scale * (field(displacement) - least))
    }
    const value = field(pattern.letter)
    return immediate(pattern.from === undefined ? pattern.scale * value : pattern.from - value)
  })
  return { text: format(form, operands, () => distance), code: encode(form, operands, () => distance) }
}

/** Returns one spelling of instructions that have several. */
const normal = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/, #0\]/, "]")
    .replace(/^orr (v\d+\.16b), (v\d+\.16b), \2$/, "mov $1, $2")
