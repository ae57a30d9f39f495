/** OpenCL C text: variables, tables, the functions of loops, and the program around the kernels. */
import type { Borrow, Carry, Limbs, LimbText, Pair, StepBody, Word } from "../limbs/limb-text.ts"
import type { ConstantTable, Step } from "../ops.ts"
import { type Phase, rollPhases } from "../phases.ts"

/**
 * Helper functions of the rendered text.
 *
 * - `OUTLINE` qualifies the large functions. It is set to `noinline` for processors, whose compilers take minutes to
 *   inline them. By default they are inlined always: a call would keep the state in memory.
 * - `SEARCH` qualifies the search kernel. For AMD's architectures, LLVM would otherwise use too many registers for a SIMD
 *   unit to hold enough waves.
 */
export const PRELUDE = `
#ifndef OUTLINE
#define OUTLINE inline __attribute__((always_inline))
#endif
#ifdef __AMDGCN__
#define SEARCH __attribute__((amdgpu_num_vgpr(96)))
#else
#define SEARCH
#endif
static inline uint add_carry(uint a, uint b, uint carry, uint *out) {
  uint sum = a + b;
  uint all = sum + carry;
  *out = (sum < a) | (all < sum);
  return all;
}
static inline uint subtract_borrow(uint a, uint b, uint borrow, uint *out) {
  uint difference = a - b;
  *out = (a < b) | (difference < borrow);
  return difference - borrow;
}
static inline ulong pair(uint low, uint high) { return (ulong)high << 32 | low; }
static inline ulong canonical(ulong x) { return x < 0xffffffff00000001UL ? x : x - 0xffffffff00000001UL; }
`

/** The tables and functions that the kernels of one program share. */
export class OpenClProgram {
  readonly declarations: string[] = []
  /** Names of the functions of the steps rendered so far. */
  readonly steps = new Map<Step, string>()
  #names = 0

  /** Returns a new name. */
  name(prefix: string): string {
    this.#names += 1
    return `${prefix}${this.#names}`
  }

  /** Declares a table in constant memory. @param words at least one @returns its name */
  table(type: "uint" | "ulong", words: readonly (bigint | number)[]): string {
    const name = this.name("table")
    const suffix = type === "ulong" ? "UL" : "u"
    const list = words.map(word => `0x${word.toString(16)}${suffix}`).join(", ")
    this.declarations.push(`__constant ${type} ${name}[] = {${list}};\n`)
    return name
  }
}

/** The text of one kernel or function. */
export class OpenClText implements LimbText {
  readonly lines: string[] = []
  readonly #program: OpenClProgram
  /** Pointer to the current entry of the constant table, in a step's function. */
  readonly #entry: string | undefined

  constructor(program: OpenClProgram, entry?: string) {
    this.#program = program
    this.#entry = entry
  }

  /** Declares a 32-bit variable with the expression's value. @returns its name */
  let(expression: string): Word {
    return this.#declare("uint", expression)
  }

  /** Declares a 64-bit variable with the expression's value. @returns its name */
  letPair(expression: string): Pair {
    return this.#declare("ulong", expression)
  }

  /** Declares an array that holds the words of a state. @returns its name */
  array(state: readonly Limbs[]): string {
    const name = this.#program.name("a")
    this.lines.push(`uint ${name}[${2 * state.length}] = {${state.flat().join(", ")}};`)
    return name
  }

  /** Reads the words of a state of `length` elements from an array. */
  elements(array: string, length: number): Limbs[] {
    return Array.from({ length }, (_, i) => [this.let(`${array}[${2 * i}]`), this.let(`${array}[${2 * i + 1}]`)])
  }

  /** Returns the text as a function or kernel. @param head the signature */
  body(head: string): string {
    return `${head} {\n${this.lines.map(line => `  ${line}`).join("\n")}\n}\n`
  }

  literal(value: bigint): Word {
    return `0x${value.toString(16)}u`
  }

  opaqueEps(): Word {
    return "0xffffffffu"
  }

  add(a: Word, b: Word): Word {
    return this.#sum(a, b)
  }

  addOut(a: Word, b: Word): [Word, Carry] {
    const sum = this.#sum(a, b)
    return [sum, this.let(`${sum} < ${a}`)]
  }

  addInOut(a: Word, b: Word, carry: Carry): [Word, Carry] {
    return this.#withCarry("add_carry", a, b, carry)
  }

  addIn(a: Word, b: Word, carry: Carry): Word {
    return this.#sum(a, b, carry)
  }

  subtract(a: Word, b: Word): Word {
    return this.let(`${a} - ${b}`)
  }

  subtractOut(a: Word, b: Word): [Word, Borrow] {
    return [this.let(`${a} - ${b}`), this.let(`${a} < ${b}`)]
  }

  subtractInOut(a: Word, b: Word, borrow: Borrow): [Word, Borrow] {
    return this.#withCarry("subtract_borrow", a, b, borrow)
  }

  subtractIn(a: Word, b: Word, borrow: Borrow): Word {
    return this.let([a, b, borrow].filter((word, i) => i === 0 || word !== "0").join(" - "))
  }

  shiftLeft(a: Word, bits: number): Word {
    return this.let(`${a} << ${bits}`)
  }

  shiftRight(a: Word, bits: number): Word {
    return this.let(`${a} >> ${bits}`)
  }

  shiftAcross(low: Word, high: Word, bits: number): Word {
    return this.let(`${high} << ${bits} | ${low} >> ${32 - bits}`)
  }

  pack(low: Word, high: Word): Pair {
    return this.letPair(`pair(${low}, ${high})`)
  }

  unpack(pair: Pair): Limbs {
    return [this.let(`(uint)${pair}`), this.let(`(uint)(${pair} >> 32)`)]
  }

  extend(word: Word): Pair {
    return this.letPair(word)
  }

  addPairs(a: Pair, b: Pair): Pair {
    return this.letPair(`${a} + ${b}`)
  }

  subtractPairs(a: Pair, b: Pair): Pair {
    return this.letPair(`${a} - ${b}`)
  }

  shiftPairRight(a: Pair, bits: number): Pair {
    return this.letPair(`${a} >> ${bits}`)
  }

  multiplyWide(a: Word, b: Word): Pair {
    return this.letPair(`(ulong)${a} * ${b}`)
  }

  multiplyAddWide(a: Word, b: Word, addend: Pair): Pair {
    return this.letPair(`(ulong)${a} * ${b} + ${addend}`)
  }

  multiplyAdd(a: Word, b: Word, addend: Limbs, carry?: Carry): Limbs {
    const sum = this.multiplyAddWide(a, b, this.pack(...addend))
    return this.unpack(carry === undefined ? sum : this.letPair(`${sum} + ${carry}`))
  }

  multiplyAddOut(a: Word, b: Word, addend: Limbs, carry?: Carry): [Limbs, Carry] {
    const start = this.pack(...addend)
    const sum = this.multiplyAddWide(a, b, start)
    if (carry === undefined) return [this.unpack(sum), this.let(`${sum} < ${start}`)]
    const all = this.letPair(`${sum} + ${carry}`)
    return [this.unpack(all), this.let(`(${sum} < ${start}) | (${all} < ${sum})`)]
  }

  constant(column: number): Limbs {
    if (this.#entry === undefined) throw new TypeError("a table entry is used outside its loop")
    return this.unpack(this.letPair(`${this.#entry}[${column}]`))
  }

  loop(step: Step, table: ConstantTable, state: readonly Limbs[], body: StepBody): Limbs[] {
    const words = table.flat()
    const name = words.length === 0 ? "0" : this.#program.table("ulong", words)
    const array = this.array(state)
    this.lines.push(`${this.#functionOf({ step, table }, state.length, body)}(${array}, ${name}, ${words.length});`)
    return this.elements(array, state.length)
  }

  /** Writes a loop over the groups of the main step that calls each step's function in one place. */
  loopPhases(phases: readonly Phase[], state: readonly Limbs[], body: StepBody): Limbs[] {
    const program = this.#program
    const { main, others, groups } = rollPhases(phases)
    const wordsOf = (phase: Phase | undefined, entries: number): number =>
      entries * (phase ? phase.table[0]!.length : 0)
    const words = program.table(
      "uint",
      groups.flatMap(({ entries, next, nextEntries }) => [wordsOf(main, entries), wordsOf(others[next], nextEntries)]),
    )
    const array = this.array(state)
    const [group, entry] = [program.name("group"), program.name("entry")]
    const call = (phase: Phase, entries: string, words: string) =>
      `${this.#functionOf(phase, state.length, body)}(${array}, ${entries}, ${words});`
    this.lines.push(`__constant ulong *${entry} = ${program.table("ulong", main.table.flat())};`)
    this.lines.push("#pragma unroll 1", `for (uint ${group} = 0;; ${group}++) {`)
    this.lines.push(call(main, entry, `${words}[2 * ${group}]`), `if (${group} == ${groups.length - 1}) break;`)
    this.lines.push(`${entry} += ${words}[2 * ${group}];`)
    for (const [i, other] of others.entries()) {
      const isNext = groups.flatMap(({ next }, index) => (next === i ? [`${group} == ${index}`] : [])).join(" || ")
      const step = call(other, program.table("ulong", other.table.flat()), `${words}[2 * ${group} + 1]`)
      this.lines.push(`${i > 0 ? "else " : ""}${i < others.length - 1 ? `if (${isNext}) ` : ""}${step}`)
    }
    this.lines.push("}")
    return this.elements(array, state.length)
  }

  /**
   * Renders a step, once per program, as a function of (state, table, number of words in the table) that updates the
   * state in place. It runs the step at least once.
   * @returns its name
   */
  #functionOf({ step, table }: Phase, length: number, body: StepBody): string {
    const program = this.#program
    const known = program.steps.get(step)
    if (known !== undefined) return known
    const name = program.name("step")
    const text = new OpenClText(program, "rows")
    const columns = table[0]!.map((_, column) => ({ column, table }))
    text.lines.push("__constant ulong *end = rows + words;", "#pragma unroll 1", "do {")
    const next = body(text, step, columns, text.elements("s", length))
    text.lines.push(...next.flat().map((word, i) => `s[${i}] = ${word};`))
    text.lines.push(`rows += ${columns.length};`, "} while (rows < end);")
    program.declarations.push(text.body(`static OUTLINE void ${name}(uint *s, __constant ulong *rows, uint words)`))
    program.steps.set(step, name)
    return name
  }

  #declare(type: "uint" | "ulong", expression: string): string {
    const name = this.#program.name("x")
    this.lines.push(`${type} ${name} = ${expression};`)
    return name
  }

  /** Computes the sum of words modulo 2^32. */
  #sum(...words: readonly Word[]): Word {
    const present = words.filter(word => word !== "0")
    return this.let(present.length === 0 ? "0" : present.join(" + "))
  }

  #withCarry(name: string, a: Word, b: Word, carry: Carry): [Word, Carry] {
    const out = this.#program.name("x")
    this.lines.push(`uint ${out};`)
    return [this.let(`${name}(${a}, ${b}, ${carry}, &${out})`), out]
  }
}
