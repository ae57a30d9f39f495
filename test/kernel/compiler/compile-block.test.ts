import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Place, type Value, v, x } from "../../../src/kernel/arm64/assembler/operands.ts"
import {
  arm64,
  type Instruction,
  instruction,
  instructionsOnto,
} from "../../../src/kernel/arm64/compiler/architecture.ts"
import { wideCore } from "../../../src/kernel/arm64/compiler/core-models.ts"
import type { RegisterFile } from "../../../src/kernel/compiler/architecture.ts"
import { compileBlock } from "../../../src/kernel/compiler/compile-block.ts"
import { memory, type VirtualOperand } from "../../../src/kernel/compiler/operands.ts"

const BASE = x(0)
const WORDS = 8
/** Addresses of words behind pointers, of the pointers, and of spill locations. Register files have separate words. */
const BEHIND = 0x10000
const POINTERS = 0x1000
const SPILLS = 0x2000
const VECTORS = 0x8000
const WORD = 2n ** 64n

/** `a` and `b` number values or pointers, or words modulo `WORDS`. */
interface Action {
  readonly kind: "load" | "store" | "loadBehind" | "pointer" | "add" | "carry"
  readonly a: number
  readonly b: number
}

const number = fc.nat(1000)
const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom("load", "store", "loadBehind", "pointer", "add", "carry"),
  a: number,
  b: number,
})

/** Writes the actions of one register file as a block. Values are numbered modulo the count of existing ones. */
class Writer {
  readonly code: Instruction[] = []
  #next = 0

  write(file: RegisterFile, actions: readonly Action[]): void {
    const shift = file === "vector" ? VECTORS : 0
    const [load, store] =
      file === "vector" ? ["ldr Qd, [Xn, #i*16]", "str Qd, [Xn, #i*16]"] : ["ldr Xd, [Xn, #i*8]", "str Xd, [Xn, #i*8]"]
    const add = file === "vector" ? "add Vd.2D, Vn.2D, Vm.2D" : "add Xd, Xn, Xm"
    const place = (n: number): Place => memory(BASE, shift + 16 * n)
    const values: Value[] = [this.#result(file, load, place(0))]
    const pointers: Value[] = []
    const value = (n: number) => values[n % values.length]!
    for (const act of actions) {
      if (act.kind === "load") values.push(this.#result(file, load, place(act.b % WORDS)))
      else if (act.kind === "store") this.code.push(instruction(store, value(act.a), place(act.b % WORDS)))
      else if (act.kind === "pointer")
        pointers.push(this.#result("integer", "ldr Xd, [Xn, #i*8]", memory(BASE, POINTERS + 16 * (act.b % WORDS))))
      else if (act.kind === "loadBehind") {
        if (pointers.length > 0)
          values.push(
            this.#result(file, load, memory(pointers[act.a % pointers.length]!, shift + 16 * (act.b % WORDS))),
          )
      } else if (act.kind === "add") values.push(this.#result(file, add, value(act.a), value(act.b)))
      else if (file === "vector") {
        const result = this.#register(file)
        this.code.push(...instructionsOnto(value(act.a), "usra Vd.2D, Vn.2D, #64-i", result, value(act.b), 7))
        values.push(result)
      } else {
        const [sum, mask] = [this.#register(file), this.#register(file)]
        this.code.push(
          instruction("adds Xd, Xn, Xm", sum, value(act.a), value(act.b)),
          instruction("csetm Wd, hs", mask),
        )
        values.push(sum, mask)
      }
    }
    for (const [i, last] of values.slice(-12).entries()) this.code.push(instruction(store, last, place(WORDS + i)))
  }

  #register = (file: RegisterFile): Value => ({ kind: "virtual", class: file, id: this.#next++ })

  #result(file: RegisterFile, syntax: string, ...operands: (Value | Place)[]): Value {
    const result = this.#register(file)
    this.code.push(instruction(syntax, result, ...operands))
    return result
  }
}

/** Interprets code over virtual or hardware registers, vectors as one lane. @returns memory outside spill locations */
function interpret(
  code: readonly { readonly form?: unknown; readonly operands: readonly VirtualOperand[] }[],
): unknown {
  const words = new Map<number, bigint>()
  for (let n = 0; n < 64; n++) {
    for (const shift of [0, VECTORS]) words.set(shift + 16 * n, BigInt.asUintN(64, BigInt(n + 1) * 0x9e3779b97f4a7c15n))
    for (const shift of [0, VECTORS])
      words.set(BEHIND + shift + 16 * n, BigInt.asUintN(64, BigInt(n + 7) * 0xd1b54a32d192ed03n))
    words.set(POINTERS + 16 * n, BigInt(BEHIND + 16 * (n % 4)))
  }
  const registers = new Map<string, bigint>([[key(BASE), 0n]])
  let carry = 0n
  const read = (operand: VirtualOperand | undefined): bigint => registers.get(key(operand!))!
  const address = (operand: VirtualOperand | undefined): number => {
    if (operand?.kind !== "memory") throw new Error("expected memory")
    return Number(read(operand.base)) + operand.displacement
  }
  for (const { form, operands } of code) {
    const [a, b, c] = operands
    const { syntax } = form as Instruction["form"]
    if (syntax.startsWith("ldr")) registers.set(key(a!), words.get(address(b))!)
    else if (syntax.startsWith("str")) words.set(address(b), read(a))
    else if (syntax.startsWith("add")) {
      const sum = read(b) + read(c)
      if (syntax.startsWith("adds")) carry = sum / WORD
      registers.set(key(a!), sum % WORD)
    } else if (syntax.startsWith("csetm")) registers.set(key(a!), carry * 0xffffffffn)
    else if (syntax.startsWith("usra")) registers.set(key(a!), (read(a) + (read(b) >> 7n)) % WORD)
    else registers.set(key(a!), read(b))
  }
  const isSpill = (at: number) => at >= SPILLS && at < VECTORS
  return [...words].filter(([at]) => !isSpill(at)).sort(([a], [b]) => a - b)
}

function key(operand: VirtualOperand): string {
  if (operand.kind === "virtual") return `virtual ${operand.id}`
  if (operand.kind === "register") return `${operand.class} ${operand.n}`
  throw new Error("expected a register")
}

const program = fc.array(action, { maxLength: 60 })

test.each([
  ["hot", 12, 100],
  ["hot", 5, 100],
  ["hot", 5, 1],
  ["cold", 12, 1],
  ["cold", 5, 1],
] as const)("a %s block with %i registers and a window of %i computes what it says", (heat, registers, window) => {
  const numbers = Array.from({ length: registers }, (_, n) => n + 1)
  fc.assert(
    fc.property(program, program, (integer, vector) => {
      const writer = new Writer()
      writer.write("integer", integer)
      writer.write("vector", vector)
      const { code } = compileBlock(writer.code, heat === "hot", {
        architecture: arm64,
        core: wideCore,
        window,
        pressure: { integer: registers - 1, vector: registers - 1 },
        readOnly: new Set(),
        registers: { integer: numbers, vector: numbers },
        spillLocation: (file, n) => memory(BASE, SPILLS + 16 * n + (file === "vector" ? 0x1000 : 0)),
      })
      expect(interpret(code)).toEqual(interpret(writer.code))
      for (const { operands } of code) for (const operand of operands) expect(operand.kind).not.toBe("virtual")
    }),
    { numRuns: 200 },
  )
})

test("a value loaded through a pointer survives the pointer's register", () => {
  const [pointer, loaded, other, sum] = [0, 1, 2, 3].map(
    (id): Value => ({ kind: "virtual", class: "integer", id }),
  ) as [Value, Value, Value, Value]
  const block = [
    instruction("ldr Xd, [Xn, #i*8]", pointer, memory(BASE, POINTERS)),
    instruction("ldr Xd, [Xn, #i*8]", loaded, memory(pointer, 16)),
    instruction("ldr Xd, [Xn, #i*8]", other, memory(BASE, 32)),
    instruction("add Xd, Xn, Xm", sum, other, other),
    instruction("str Xd, [Xn, #i*8]", other, memory(BASE, 64)),
    instruction("str Xd, [Xn, #i*8]", sum, memory(BASE, 48)),
    instruction("str Xd, [Xn, #i*8]", loaded, memory(BASE, 80)),
  ]
  const { code } = compileBlock(block, false, {
    architecture: arm64,
    core: wideCore,
    window: 1,
    pressure: { integer: 1, vector: 1 },
    readOnly: new Set(),
    registers: { integer: [1, 2, 3], vector: [v(0).n] },
    spillLocation: (_, n) => memory(BASE, SPILLS + 16 * n),
  })
  expect(interpret(code)).toEqual(interpret(block))
})
