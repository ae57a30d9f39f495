/**
 * The vocabulary of `ops.ts` in OpenCL C. An element is a `ulong` of any value. A sum is two: its low word and how often
 * that wrapped; a product is reduced before it enters a sum, except where a constant's is added to one.
 */
import type { Constant, ConstantRows, Ops, Step } from "../ops.ts"

/** An element: the name of a variable. */
export type Name = string

export interface Sum {
  readonly low: string
  readonly high: string
  /** The largest value of `high`. */
  readonly limit: number
}

/** A sum that holds a product has a high word of any size, and is only to be reduced. */
const WIDE = Number.POSITIVE_INFINITY

/** So many carries fit beside a product with a canonical constant, whose high word stays below 2^64 − 2^32. */
const MOST = 2 ** 31

/**
 * What the rendered text calls. `reduce_wide` drops the borrow of low − high / 2^32, which comes once in 2^33;
 * `reduce_sum` is exact but where the high word is near 2^32. `OUTLINE` is for the compilers of processors, which take
 * minutes over functions of this size unless they are told not to inline them. `LIMBS` makes a product's high word of
 * 32-bit factors, for devices on which that is faster.
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

/** What the kernels of one program share: tables and functions, which come before them. */
export class OpenClProgram {
  readonly declarations: string[] = []
  /** Steps that were rendered as functions, by name. */
  readonly steps = new Map<Step, string>()
  #names = 0

  name(prefix: string): string {
    this.#names += 1
    return `${prefix}${this.#names}`
  }
}

/** The text of one kernel or function. */
export class OpenClText {
  readonly lines: string[] = []

  constructor(readonly program: OpenClProgram) {}

  let(expression: string): Name {
    const name = this.program.name("x")
    this.lines.push(`ulong ${name} = ${expression};`)
    return name
  }

  /** An array of elements. @returns its name */
  array(elements: readonly Name[]): string {
    const name = this.program.name("a")
    this.lines.push(`ulong ${name}[${elements.length}] = {${elements.join(", ")}};`)
    return name
  }

  /** The text as a function or kernel. */
  body(head: string): string {
    return `${head} {\n${this.lines.map(line => `  ${line}`).join("\n")}\n}\n`
  }
}

export class OpenClOps implements Ops<Name, Sum> {
  readonly productsTakeConstants = false
  readonly #text: OpenClText
  /** Where the current row of constants stands, inside a step's function. */
  readonly #row: string | undefined

  constructor(text: OpenClText, row?: string) {
    this.#text = text
    this.#row = row
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
    return { low: "0UL", high: "0UL", limit: 0 }
  }

  widen(a: Name): Sum {
    return { low: a, high: "0UL", limit: 0 }
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
    return { ...rest, high: this.#text.let(`${high} + high_word(${a}, ${c})`), limit: WIDE }
  }

  reduce(a: Sum): Name {
    if (a.high === "0UL") return a.low
    return this.#text.let(`${a.limit === WIDE ? "reduce_wide" : "reduce_sum"}(${a.low}, ${a.high})`)
  }

  reduceLinear(a: Sum): Name {
    return this.reduce(a)
  }

  settle(a: Sum): Sum {
    return this.#narrow(a)
  }

  repeat(step: Step, rows: ConstantRows, state: readonly Name[]): Name[] {
    const { program } = this.#text
    const words = rows.flat().map(literal)
    const table = words.length === 0 ? "0" : program.name("table")
    if (words.length > 0) program.declarations.push(`__constant ulong ${table}[] = {${words.join(", ")}};\n`)
    const name = program.steps.get(step) ?? renderStep(program, step, rows, state.length)
    const array = this.#text.array(state)
    this.#text.lines.push(`${name}(${array}, ${table}, ${words.length});`)
    return state.map((_, i) => this.#text.let(`${array}[${i}]`))
  }

  /** A sum that more can be added to. */
  #narrow(a: Sum): Sum {
    return a.limit === WIDE ? this.widen(this.reduce(a)) : a
  }

  #plus(a: Sum, b: Sum): Sum {
    if (a.low === "0UL") return b
    if (b.low === "0UL") return a
    const limit = a.limit + b.limit + 1
    if (limit > MOST) throw new RangeError("a sum with more terms than its high word can count")
    const low = this.#text.let(`${a.low} + ${b.low}`)
    const highs = [a.high, b.high].filter(high => high !== "0UL")
    return { low, high: this.#text.let([...highs, `(${low} < ${b.low})`].join(" + ")), limit }
  }

  #constant(constant: Constant): string {
    if (typeof constant === "bigint") return literal(constant)
    if (!this.#row) throw new TypeError("an entry of a row outside its loop")
    return `${this.#row}[${constant.column}]`
  }
}

/** A step as a function of (state, rows, words of all rows) that works on the state in place, once at least. @returns its name */
function renderStep(program: OpenClProgram, step: Step, rows: ConstantRows, stateLength: number): string {
  const name = program.name("step")
  const text = new OpenClText(program)
  const state = Array.from({ length: stateLength }, (_, i) => `s[${i}]`)
  const columns = rows[0]!.map((_, column) => ({ column, rows }))
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
