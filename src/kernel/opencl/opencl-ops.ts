/**
 * The vocabulary of `ops.ts` in OpenCL C. An element is a `ulong`, 0 … 2^64 − 1. A sum is two: its value modulo 2^64
 * and the number of times that wrapped. A product of two elements is reduced before it is added; a product with a
 * constant is not. `goldilocks.ts` explains the reductions.
 */
import type { Constant, ConstantTable, Ops, Step } from "../ops.ts"

/** An element: the name of a variable. */
export type Name = string

/** The sum low + 2^64 high: expressions of the rendered text. */
export interface Sum {
  readonly low: string
  readonly high: string
  /** Upper bound of `high`. */
  readonly max: number
}

/** The bound of a sum that includes a product. Its high word has any value, so it can only be reduced. */
const WIDE = Number.POSITIVE_INFINITY

/**
 * Maximum carries of a sum. A product with a canonical constant can still be added: its high word is below 2^64 − 2^32.
 */
const MAX_CARRIES = 2 ** 31

/**
 * Helper functions of the rendered text.
 *
 * - `reduce_wide` computes low + 2^64 high modulo p. It drops the borrow of low − ⌊high / 2^32⌋, probability 2^-33.
 * - `reduce_sum` computes the same. It assumes high < 2^32 and is exact unless `high` is near 2^32.
 * - `OUTLINE` qualifies the large functions. It is set to `noinline` for processors, whose compilers take minutes to
 *   inline them, and is `inline` by default.
 * - `LIMBS` selects products of 32-bit factors, which some devices compute faster.
 */
export const PRELUDE = `
#ifndef OUTLINE
#define OUTLINE inline
#endif
#define EPS 0xffffffffUL
static inline ulong reduce_sum(ulong low, ulong high) {
  ulong t = high * EPS;
  ulong r = low + t;
  return r < t ? r + EPS : r;
}
static inline ulong reduce_wide(ulong low, ulong high) {
  ulong s = low - (high >> 32);
  ulong t = (high & EPS) * EPS;
  ulong r = s + t;
  return r < t ? r + EPS : r;
}
#ifdef LIMBS
static inline ulong high_word(ulong a, ulong b) {
  ulong a0 = a & EPS, a1 = a >> 32, b0 = b & EPS, b1 = b >> 32;
  ulong m = a1 * b0 + (a0 * b0 >> 32);
  ulong n = a0 * b1 + (m & EPS);
  return a1 * b1 + (m >> 32) + (n >> 32);
}
#else
#define high_word mul_hi
#endif
static inline ulong multiply(ulong a, ulong b) { return reduce_wide(a * b, high_word(a, b)); }
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
}

/** The text of one kernel or function. */
export class OpenClText {
  readonly lines: string[] = []

  constructor(readonly program: OpenClProgram) {}

  /** Declares a variable with the expression's value. @returns its name */
  let(expression: string): Name {
    const name = this.program.name("x")
    this.lines.push(`ulong ${name} = ${expression};`)
    return name
  }

  /** Declares an array of elements. @returns its name */
  array(elements: readonly Name[]): string {
    const name = this.program.name("a")
    this.lines.push(`ulong ${name}[${elements.length}] = {${elements.join(", ")}};`)
    return name
  }

  /** Returns the text as a function or kernel. @param head the signature */
  body(head: string): string {
    return `${head} {\n${this.lines.map(line => `  ${line}`).join("\n")}\n}\n`
  }
}

export class OpenClOps implements Ops<Name, Sum> {
  readonly productsTakeConstants = false
  readonly #text: OpenClText
  /** Pointer to the current entry of the constant table, in a step's function. */
  readonly #entry: string | undefined

  constructor(text: OpenClText, entry?: string) {
    this.#text = text
    this.#entry = entry
  }

  square(a: Name): Name {
    return this.multiply(a, a)
  }

  multiply(a: Name, b: Name): Name {
    return this.#text.let(`multiply(${a}, ${b})`)
  }

  product(a: Name, b: Name): Sum {
    return this.widen(this.multiply(a, b))
  }

  zero(): Sum {
    return { low: "0UL", high: "0UL", max: 0 }
  }

  widen(a: Name): Sum {
    return { low: a, high: "0UL", max: 0 }
  }

  add(a: Sum, b: Sum): Sum {
    return this.#plus(this.#narrow(a), this.#narrow(b))
  }

  double(a: Sum): Sum {
    return this.add(a, a)
  }

  addConstant(a: Sum, constant: Constant): Sum {
    return this.#plus(this.#narrow(a), this.widen(this.#constant(constant)))
  }

  multiplyAdd(sum: Sum, a: Name, constant: Constant): Sum {
    const c = this.#constant(constant)
    const { high, ...rest } = this.#plus(this.#narrow(sum), this.widen(this.#text.let(`${a} * ${c}`)))
    return { ...rest, high: this.#text.let(`${high} + high_word(${a}, ${c})`), max: WIDE }
  }

  reduce(a: Sum): Name {
    if (a.high === "0UL") return a.low
    return this.#text.let(`${a.max === WIDE ? "reduce_wide" : "reduce_sum"}(${a.low}, ${a.high})`)
  }

  reduceLinear(a: Sum): Name {
    return this.reduce(a)
  }

  settle(a: Sum): Sum {
    return this.#narrow(a)
  }

  repeat(step: Step, table: ConstantTable, state: readonly Name[]): Name[] {
    const { program } = this.#text
    const words = table.flat().map(literal)
    const tableName = words.length === 0 ? "0" : program.name("table")
    if (words.length > 0) program.declarations.push(`__constant ulong ${tableName}[] = {${words.join(", ")}};\n`)
    const name = program.steps.get(step) ?? renderStep(program, step, table, state.length)
    const array = this.#text.array(state)
    this.#text.lines.push(`${name}(${array}, ${tableName}, ${words.length});`)
    return state.map((_, i) => this.#text.let(`${array}[${i}]`))
  }

  /** Returns a sum that can be added to: a wide sum is reduced first. */
  #narrow(a: Sum): Sum {
    return a.max === WIDE ? this.widen(this.reduce(a)) : a
  }

  /** Computes a + b. Assumes that neither is wide. */
  #plus(a: Sum, b: Sum): Sum {
    if (a.low === "0UL") return b
    if (b.low === "0UL") return a
    const max = a.max + b.max + 1
    if (max > MAX_CARRIES) throw new RangeError("the sum has too many terms for its high word")
    const low = this.#text.let(`${a.low} + ${b.low}`)
    const highs = [a.high, b.high].filter(high => high !== "0UL")
    return { low, high: this.#text.let([...highs, `(${low} < ${b.low})`].join(" + ")), max }
  }

  #constant(constant: Constant): string {
    if (typeof constant === "bigint") return literal(constant)
    if (!this.#entry) throw new TypeError("a table entry is used outside its loop")
    return `${this.#entry}[${constant.column}]`
  }
}

/**
 * Renders a step as a function of (state, table, number of words in the table) that updates the state in place. It runs
 * the step at least once.
 * @returns its name
 */
function renderStep(program: OpenClProgram, step: Step, table: ConstantTable, stateLength: number): string {
  const name = program.name("step")
  const text = new OpenClText(program)
  const state = Array.from({ length: stateLength }, (_, i) => `s[${i}]`)
  const columns = table[0]!.map((_, column) => ({ column, table }))
  text.lines.push("__constant ulong *end = rows + words;", "#pragma unroll 1", "do {")
  const current = state.map(x => text.let(x))
  const next = step.apply(new OpenClOps(text, "rows"), current, columns)
  next.forEach((x, i) => {
    text.lines.push(`${state[i]} = ${x};`)
  })
  text.lines.push(`rows += ${columns.length};`, "} while (rows < end);")
  program.declarations.push(text.body(`static OUTLINE void ${name}(ulong *s, __constant ulong *rows, uint words)`))
  program.steps.set(step, name)
  return name
}

const literal = (word: bigint): string => `0x${word.toString(16)}UL`
