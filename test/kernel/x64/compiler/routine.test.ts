import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { interleave, storeEarly } from "../../../../src/kernel/compiler/integer-code.ts"
import { mapPages } from "../../../../src/kernel/native/memory.ts"
import { select } from "../../../../src/kernel/x64/assembler/encode.ts"
import { instructions } from "../../../../src/kernel/x64/assembler/instructions.ts"
import {
  format,
  immediate,
  memory,
  rdi,
  rdx,
  type VirtualOperand,
  type VirtualRegister,
} from "../../../../src/kernel/x64/assembler/operands.ts"
import type { Feature } from "../../../../src/kernel/x64/assembler/table.ts"
import { x64 } from "../../../../src/kernel/x64/compiler/architecture.ts"
import { sapphireRapids, zen3 } from "../../../../src/kernel/x64/compiler/core-models.ts"
import { Routine } from "../../../../src/kernel/x64/compiler/routine.ts"
import { cpuFeatures } from "../../../../src/kernel/x64/runtime/cpuid.ts"
import { loadX64Code } from "../../../../src/kernel/x64/runtime/load-x64.ts"

const WORDS = 6
const SPILL = 4096
/** Byte offset of each register file's words. */
const BASES = { vector: 0, integer: 2048 }
const FILES = ["vector", "integer"] as const
const WORD = 2n ** 64n

/** An instruction of a random program. Values are numbered; numbers are taken modulo the count of existing values. */
type Action =
  | { readonly kind: "load"; readonly word: number }
  | { readonly kind: "store"; readonly word: number; readonly value: number }
  | { readonly kind: "vpaddq" | "vpsubq" | "vpxor" | "vpmuludq"; readonly a: number; readonly b: number }
  | { readonly kind: "vpsrlq"; readonly a: number; readonly bits: number }
  | { readonly kind: "vmovdqu"; readonly a: number }

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const number = fc.nat(1000)
const word = fc.nat(WORDS - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant("load" as const), word }),
  fc.record({ kind: fc.constant("store" as const), word, value: number }),
  fc.record({ kind: fc.constantFrom("vpaddq", "vpsubq", "vpxor", "vpmuludq"), a: number, b: number }),
  fc.record({ kind: fc.constant("vpsrlq" as const), a: number, bits: fc.nat(63) }),
  fc.record({ kind: fc.constant("vmovdqu" as const), a: number }),
)

const SIZES = { vector: 32, integer: 8 }
type File = keyof typeof SIZES

/** Appends the actions to a routine, as vector or integer instructions. */
function write(routine: Routine, file: File, actions: readonly Action[]): void {
  const [move, cls] = file === "vector" ? (["vmovdqu", "ymm"] as const) : (["mov", "r64"] as const)
  const place = (n: number) => memory(rdi, BASES[file] + SIZES[file] * n)
  const values: VirtualRegister[] = []
  const emit = routine.emit.bind(routine)
  const fresh = (mnemonic: string, ...operands: VirtualOperand[]) => {
    const register = routine.register(cls)
    emit(mnemonic, register, ...operands)
    return register
  }
  const low = (x: VirtualRegister): VirtualRegister => ({ ...x, class: "r32" })
  const onto = (a: VirtualRegister, mnemonic: string, b: VirtualRegister) => {
    const result = fresh("mov", a)
    emit(mnemonic, result, b)
    return result
  }
  const integer = {
    vpaddq: (a: VirtualRegister, b: VirtualRegister) => fresh("lea", memory(a, 0, b)),
    vpsubq: (a: VirtualRegister, b: VirtualRegister) => onto(a, "sub", b),
    vpxor: (a: VirtualRegister, b: VirtualRegister) => onto(a, "xor", b),
    vpmuludq: (a: VirtualRegister, b: VirtualRegister) => {
      const halves = [a, b].map(x => {
        const half = routine.register(cls)
        emit("mov", low(half), low(x))
        return half
      })
      const [high, product] = [routine.register(cls), routine.register(cls)]
      emit("mov", rdx, halves[0]!)
      emit("mulx", high, product, halves[1]!)
      // Adds 0: the high word is 0, and subtracting a register from itself clears the carry.
      emit("sub", halves[0]!, halves[0]!)
      emit("adc", product, high)
      return product
    },
  }
  values.push(fresh(move, place(0)))
  const value = (n: number) => values[n % values.length]!
  for (const act of actions) {
    if (act.kind === "store") emit(move, place(act.word), value(act.value))
    else if (act.kind === "load") values.push(fresh(move, place(act.word)))
    else if (act.kind === "vmovdqu") values.push(fresh(move, value(act.a)))
    else if (act.kind === "vpsrlq")
      values.push(
        file === "vector"
          ? fresh(act.kind, value(act.a), immediate(act.bits))
          : fresh("shrx", value(act.a), fresh("mov", immediate(act.bits))),
      )
    else
      values.push(
        file === "vector" ? fresh(act.kind, value(act.a), value(act.b)) : integer[act.kind](value(act.a), value(act.b)),
      )
  }
  values.slice(-12).forEach((register, i) => {
    emit(move, place(WORDS + i), register)
  })
}

function render(programs: Readonly<Partial<Record<File, readonly Action[]>>>, registers: number, window: number) {
  const routine = new Routine({
    core: zen3,
    window,
    pressure: { integer: registers - 1, vector: registers - 1 },
    readOnly: new Set(),
    registers: { integer: [0, 1, 6, 8, 9, 10, 11].slice(0, registers), vector: range(registers) },
    spillLocation: (file, n) => memory(rdi, SPILL + (file === "vector" ? 32 * n : 8 * n + 8192)),
  })
  routine.hot = true
  for (const [file, actions] of Object.entries(programs)) write(routine, file as File, actions)
  routine.control("vzeroupper")
  routine.control("ret")
  return routine.finish()
}

/** Interprets the actions on one lane. @returns the words in memory, followed by the last 12 values */
function interpret(actions: readonly Action[], memoryWords: bigint[]): bigint[] {
  const values = [memoryWords[0]!]
  const value = (n: number) => values[n % values.length]!
  const low = (x: bigint) => x % 2n ** 32n
  for (const act of actions) {
    if (act.kind === "load") values.push(memoryWords[act.word]!)
    else if (act.kind === "store") memoryWords[act.word] = value(act.value)
    else if (act.kind === "vpsrlq") values.push(value(act.a) >> BigInt(act.bits))
    else if (act.kind === "vmovdqu") values.push(value(act.a))
    else {
      const [a, b] = [value(act.a), value(act.b)]
      const results = { vpaddq: a + b, vpsubq: a - b + WORD, vpxor: a ^ b, vpmuludq: low(a) * low(b) }
      values.push(results[act.kind] % WORD)
    }
  }
  return [...memoryWords, ...values.slice(-12)]
}

const needs: readonly Feature[] = ["avx2", "bmi2"]
const canRun = process.arch === "x64" && process.platform === "linux" && needs.every(need => cpuFeatures().has(need))

describe.skipIf(!canRun)(`compiled blocks${canRun ? "" : " (skipped: no AVX2 and BMI2)"}`, () => {
  const program = fc.array(action, { maxLength: 80 })
  const programs = {
    vectors: fc.record({ vector: program }),
    integers: fc.record({ integer: program }),
    "vectors and integers": fc.record({ vector: program, integer: program }),
  }
  const kinds = Object.keys(programs) as (keyof typeof programs)[]
  const shapes = [
    [16, 60],
    [5, 60],
    [3, 1],
    [4, 1000],
  ] as const
  test.each(kinds.flatMap(kind => shapes.map(([registers, window]) => [kind, registers, window] as const)))(
    "compute what the interpreter does for %s with %i registers and a scheduling window of %i",
    (kind, registers, window) => {
      const pages = mapPages(65536)
      const words = new BigUint64Array(pages.buffer)
      /** Index of the word in a vector's last lane, or of an integer. */
      const at = (file: File, n: number) => (BASES[file] + SIZES[file] * (n + 1)) / 8 - 1
      fc.assert(
        fc.property<[Readonly<Partial<Record<File, readonly Action[]>>>]>(programs[kind], programs => {
          const memoryWords = range(WORDS).map(i => BigInt.asUintN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n))
          for (const file of FILES)
            memoryWords.forEach((word, n) => {
              words.fill(word, (BASES[file] + SIZES[file] * n) / 8, at(file, n) + 1)
            })
          const code = loadX64Code(render(programs, registers, window))
          code.entry(0)(pages.address)
          code.free()
          for (const file of FILES) {
            const expected = interpret(programs[file] ?? [], [...memoryWords])
            if (programs[file]) expect(expected.map((_, n) => words[at(file, n)]!)).toEqual(expected)
          }
        }),
        { numRuns: 60 },
      )
      pages.free()
    },
  )
})

describe("a store moves up to where its value is computed", () => {
  const a: VirtualRegister = { kind: "virtual", class: "r64", id: 0 }
  const b: VirtualRegister = { kind: "virtual", class: "r64", id: 1 }
  const block = (...code: [mnemonic: string, ...operands: VirtualOperand[]][]) => {
    const written = code.map(([mnemonic, ...operands]) => ({
      form: select(instructions.get(mnemonic)!, operands)!,
      operands,
    }))
    return storeEarly(written, x64, new Set()).map(({ form, operands }) =>
      [form.mnemonic, ...operands.map(operand => format(operand as VirtualOperand))].join(" "),
    )
  }

  test("but not before the value's last change", () => {
    expect(
      block(["mov", a, memory(rdi)], ["add", a, immediate(1)], ["mov", b, memory(rdi, 8)], ["mov", memory(rdi, 16), a]),
    ).toEqual(["mov %r64.0 [rdi]", "add %r64.0 1", "mov [rdi + 16] %r64.0", "mov %r64.1 [rdi + 8]"])
  })

  test("nor before a load from the same address", () => {
    const code = block(
      ["mov", a, memory(rdi)],
      ["mov", b, memory(rdi, 8)],
      ["mov", memory(rdi, 8), a],
      ["mov", memory(rdi), b],
    )
    expect(code).toEqual(["mov %r64.0 [rdi]", "mov %r64.1 [rdi + 8]", "mov [rdi + 8] %r64.0", "mov [rdi] %r64.1"])
  })

  test("nor before another store to the same address", () => {
    const code = block(
      ["mov", a, memory(rdi)],
      ["mov", b, memory(rdi)],
      ["mov", memory(rdi, 8), b],
      ["mov", memory(rdi, 8), a],
    )
    expect(code).toEqual(["mov %r64.0 [rdi]", "mov %r64.1 [rdi]", "mov [rdi + 8] %r64.1", "mov [rdi + 8] %r64.0"])
  })
})

test("two sequences are interleaved evenly, each in its own order", () => {
  expect(interleave([..."1234"], [..."ab"]).join("")).toBe("1a23b4")
  expect(interleave([..."12"], [..."abcde"]).join("")).toBe("1abc2de")
  expect(interleave([..."123"], []).join("")).toBe("123")
})

test("a hot block with an instruction that uses both register files is rejected, because it cannot be interleaved", () => {
  const routine = new Routine({
    core: zen3,
    window: 10,
    pressure: { integer: 3, vector: 3 },
    readOnly: new Set(),
    registers: { integer: [0, 1], vector: [0, 1, 2] },
    spillLocation: (_, n) => memory(rdi, SPILL + 32 * n),
  })
  routine.hot = true
  const pointer = routine.register("r64")
  routine.emit("mov", pointer, memory(rdi))
  routine.emit("vmovdqu", routine.register("ymm"), memory(pointer))
  expect(() => routine.finish()).toThrow("an instruction of a hot block uses both integer and vector registers")
})

test("an evicted value that is one repeated word is read again from its memory instead of being spilled", () => {
  const listing: string[] = []
  const routine = new Routine(
    {
      core: sapphireRapids,
      window: 1,
      pressure: { integer: 3, vector: 3 },
      readOnly: new Set(),
      registers: { integer: [0], vector: [0, 1, 2] },
      spillLocation: (_, n) => memory(rdi, SPILL + 64 * n),
    },
    {
      label: () => {},
      instruction: (_, { mnemonic }, operands) => listing.push(`${mnemonic} ${operands.map(format).join(", ")}`),
    },
  )
  const emit = (mnemonic: string, ...operands: VirtualOperand[]) => {
    const result = routine.register("zmm")
    routine.emit(mnemonic, result, ...operands)
    return result
  }
  const repeated = emit("vpbroadcastq", memory(rdi, 8))
  const others = [64, 128, 192].map(at => emit("vmovdqu64", memory(rdi, at)))
  const sum = others.reduce((a, b) => emit("vpaddq", a, b))
  // The second operand of vpaddq can be a repeated word in memory, that of vpshufb cannot.
  const result = emit("vpshufb", emit("vpaddq", sum, repeated), repeated)
  routine.emit("vmovdqu64", memory(rdi, 256), result)
  routine.hot = false
  expect(listing.filter(line => line.includes("[rdi + 8]")).map(line => line.replace(/zmm\d/g, "zmm"))).toEqual([
    "vpbroadcastq zmm, [rdi + 8]",
    "vpaddq zmm, zmm, [rdi + 8]{1to8}",
    "vpbroadcastq zmm, [rdi + 8]",
  ])
  expect(routine.statistics).toMatchObject({ stores: 0, reloads: 2 })
})
