/**
 * The vocabulary of `ops.ts` in WebAssembly. `goldilocks.ts` explains the reductions.
 *
 * An element is one i64, 0 … 2^64 − 1. A sum of elements, constants and products with constants is *exact* (two words)
 * if the arithmetic adds double words cheaply. A sum of products of two elements would exceed two words; it is
 * *estimated*, a wrapped sum in the sense of `goldilocks.ts`.
 */
import { P } from "../../pow/field.ts"
import { EPS } from "../goldilocks.ts"
import type { Constant, ConstantTable, Ops, Step } from "../ops.ts"
import { call, type Expression, FunctionBuilder, get, i32, i64, type Local, type ModuleBuilder } from "./module.ts"

/** The integer low + 2^64 high. */
interface Exact {
  readonly form: "exact"
  readonly low: Local
  /** Undefined for 0. */
  readonly high: Local | undefined
  /** Upper bound of the value, below 2^128. */
  readonly max: bigint
}

/** A wrapped sum T: low = T mod 2^64, high ≈ T / 2^32. */
interface Estimated {
  readonly form: "estimated"
  readonly low: Local
  readonly high: Local
  /** Expected value of T / 2^64 for uniformly distributed factors. */
  readonly mean: number
  /** Upper bound of |T| / 2^64, below 2^31, so that `high` does not overflow. */
  readonly max: number
  /** Expected value of T / 2^32 − high: the carries that `high` omits. */
  readonly cut: number
}

/** A product that is not multiplied yet: `reduce` and `add` multiply in different ways. */
interface Product {
  readonly form: "product"
  readonly a: Local
  readonly b: Local
  /** Set when the product is first added to a sum. */
  estimated?: Estimated
}

export type WasmSum = { readonly form: "empty" } | Exact | Estimated | Product

const WORD = 2n ** 64n

/** The integer low + 2^64 high. */
export type WordPair = readonly [low: Local, high: Local]

/** Arithmetic on double words. */
export interface WideArithmetic {
  /** Computes a · b. */
  multiply(f: FunctionBuilder, a: Local, b: Expression): WordPair
  /** Computes a + b. Assumes a + b < 2^128. Absent if an estimated sum costs less. */
  add?(f: FunctionBuilder, a: readonly [Expression, Expression], b: readonly [Expression, Expression]): WordPair
}

/** Computes the two words that represent a constant in the table. */
type WordsOf = (constant: bigint) => readonly [bigint, bigint]

/** A step, rendered as a function of the module. */
interface RenderedStep {
  readonly functionIndex: number
  /** How each column of the step's table is stored. */
  readonly columns: readonly WordsOf[]
}

/** State shared by the functions of one module. */
export interface ModuleContext {
  readonly module: ModuleBuilder
  readonly arithmetic: WideArithmetic
  /** Address of the 12 words that pass a state to and from a step's function. */
  readonly stateAddress: number
  /** Places data in memory. @returns its address */
  allocate(bytes: Uint8Array): number
  /** The steps rendered so far. */
  readonly steps: Map<Step, RenderedStep>
}

export class WasmOps implements Ops<Local, WasmSum> {
  readonly productsTakeConstants = false
  readonly #context: ModuleContext
  readonly #f: FunctionBuilder
  /** Address of the current entry of the constant table, in a step's function. */
  readonly #entry: Local | undefined
  /** How the step's function reads each column, found while it is rendered. */
  readonly #columns: WordsOf[] = []

  constructor(context: ModuleContext, f: FunctionBuilder, entry?: Local) {
    this.#context = context
    this.#f = f
    this.#entry = entry
  }

  square(a: Local): Local {
    return this.multiply(a, a)
  }

  multiply(a: Local, b: Local): Local {
    const [low, high] = this.#context.arithmetic.multiply(this.#f, a, get(b))
    return this.#reduceWords(low, high)
  }

  product(a: Local, b: Local): WasmSum {
    return { form: "product", a, b }
  }

  zero(): WasmSum {
    return { form: "empty" }
  }

  widen(a: Local): Exact {
    return { form: "exact", low: a, high: undefined, max: WORD - 1n }
  }

  add(a: WasmSum, b: WasmSum): WasmSum {
    if (a.form === "empty") return b
    if (b.form === "empty") return a
    const { arithmetic } = this.#context
    if (arithmetic.add && a.form === "exact" && b.form === "exact" && a.max + b.max < WORD ** 2n) {
      const words = ({ low, high }: Exact) => [get(low), high ? get(high) : i64.constant(0n)] as const
      const [low, high] = arithmetic.add(this.#f, words(a), words(b))
      return { form: "exact", low, high, max: a.max + b.max }
    }
    const x = this.#estimate(a)
    const y = this.#estimate(b)
    return bounded({
      form: "estimated",
      low: this.#let(i64.add(get(x.low), get(y.low))),
      high: this.#let(i64.add(get(x.high), get(y.high))),
      mean: x.mean + y.mean,
      max: x.max + y.max,
      cut: x.cut + y.cut,
    })
  }

  double(a: WasmSum): WasmSum {
    return this.add(a, a)
  }

  addConstant(a: WasmSum, constant: Constant): WasmSum {
    if (a.form === "empty" || a.form === "exact") return this.add(a, this.#exactConstant(constant))
    return this.#addCentred(this.#estimate(a), constant)
  }

  #exactConstant(constant: Constant): Exact {
    const [low] = this.#constantWords(constant, c => [c, 0n])
    return { form: "exact", low: this.#let(low), high: undefined, max: P - 1n }
  }

  /** Computes T + c − centre · p, whose expected value is near 0. */
  #addCentred(a: Estimated, constant: Constant): Estimated {
    const centre = BigInt(Math.round(a.mean))
    const correction = BigInt(Math.round(a.cut))
    const [low, high] = this.#constantWords(constant, c => {
      const value = c - centre * P
      return [value, (value >> 32n) + correction]
    })
    return bounded({
      form: "estimated",
      low: this.#let(i64.add(get(a.low), low)),
      high: this.#let(i64.add(get(a.high), high)),
      mean: a.mean + 0.5 - Number(centre),
      max: a.max + 1,
      cut: a.cut - Number(correction),
    })
  }

  /** Returns the two words of a constant: literals, or loads from the current table entry. */
  #constantWords(constant: Constant, wordsOf: WordsOf): readonly [Expression, Expression] {
    if (typeof constant === "bigint") {
      const [low, high] = wordsOf(constant)
      return [i64.constant(low), i64.constant(high)]
    }
    this.#columns[constant.column] = wordsOf
    const word = (i: 0 | 1) => i64.load(get(this.#entry!), 16 * constant.column + 8 * i)
    return [word(0), word(1)]
  }

  multiplyAdd(sum: WasmSum, a: Local, constant: Constant): WasmSum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    const [low, high] = this.#context.arithmetic.multiply(this.#f, a, i64.constant(constant))
    return this.add(sum, { form: "exact", low, high, max: (WORD - 1n) * constant })
  }

  reduce(a: WasmSum): Local {
    switch (a.form) {
      case "empty":
        return this.#let(i64.constant(0n))
      case "exact":
        return this.#reduceExact(a)
      case "product":
        return this.multiply(a.a, a.b)
      default:
        return this.#reduceEstimated(a)
    }
  }

  reduceLinear(a: WasmSum): Local {
    return this.reduce(a)
  }

  #reduceExact({ low, high, max }: Exact): Local {
    if (!high) return low
    return max / WORD <= EPS ? this.#plusTimesEps(low, get(high)) : this.#reduceWords(low, high)
  }

  /**
   * Computes low + 2^64 high ≡ low − ⌊high / φ⌋ + (high mod φ) · EPS. The borrow of the difference (probability 2^-33)
   * is dropped; the carry of the sum is not.
   */
  #reduceWords(low: Local, high: Local): Local {
    const first = this.#let(i64.sub(get(low), i64.shiftRight(get(high), 32)))
    return this.#plusTimesEps(first, i64.and(get(high), i64.constant(EPS)))
  }

  /** Computes a + b · EPS, plus EPS if that sum wraps. Assumes b < 2^32. */
  #plusTimesEps(a: Local, b: Expression): Local {
    const addend = this.#let(i64.mul(b, i64.constant(EPS)))
    const sum = this.#let(i64.add(get(a), get(addend)))
    // The runtime's compiler makes 5 % faster code of this than of adding a selected EPS and comparing with `addend`.
    const carried = i64.lessThan(get(sum), get(a))
    return this.#let(i64.select(i64.add(get(sum), i64.constant(EPS)), get(sum), carried))
  }

  /** Computes low + q · EPS with q = ⌊(high + cut) / 2^32⌋. */
  #reduceEstimated(a: Estimated): Local {
    const correction = BigInt(Math.round(a.cut))
    const high = correction === 0n ? get(a.high) : i64.add(get(a.high), i64.constant(correction))
    const wraps = i64.shiftRightSigned(high, 32)
    return this.#let(i64.add(get(a.low), i64.mul(wraps, i64.constant(EPS))))
  }

  #estimate(a: WasmSum): Estimated {
    switch (a.form) {
      case "estimated":
        return a
      case "product": {
        a.estimated ??= this.#estimateWords(...this.#context.arithmetic.multiply(this.#f, a.a, get(a.b)))
        return a.estimated
      }
      case "exact":
        if (a.high) return this.#estimateWords(a.low, a.high)
        return {
          form: "estimated",
          low: a.low,
          high: this.#let(i64.shiftRight(get(a.low), 32)),
          mean: 0.5,
          max: 1,
          cut: 0.5,
        }
      default:
        return this.#estimate(this.#exactConstant(0n))
    }
  }

  /** Computes low + 2^64 high as an estimated sum, from the terms of `#reduceWords` without carries. */
  #estimateWords(low: Local, high: Local): Estimated {
    const middle = this.#let(i64.and(get(high), i64.constant(EPS)))
    const first = i64.sub(get(low), i64.shiftRight(get(high), 32))
    return {
      form: "estimated",
      low: this.#let(i64.add(first, i64.mul(get(middle), i64.constant(EPS)))),
      high: this.#let(i64.add(i64.shiftRight(get(low), 32), get(middle))),
      mean: 1,
      max: 2,
      cut: -0.5,
    }
  }

  /** Returns an exact sum to which a product with a constant can be added. */
  settle(a: WasmSum): WasmSum {
    return a.form === "exact" && a.max / WORD <= EPS ? a : this.widen(this.reduce(a))
  }

  repeat(step: Step, table: ConstantTable, state: readonly Local[]): Local[] {
    const { functionIndex, columns } = this.#context.steps.get(step) ?? this.#render(step, table, state.length)
    const words = table.flatMap(entry => entry.flatMap((c, i) => columns[i]!(c)))
    const address = this.#context.allocate(new Uint8Array(BigInt64Array.from(words).buffer))
    const { stateAddress } = this.#context
    const base = i32.constant(0)
    state.forEach((x, i) => {
      this.#f.emit(i64.store(base, stateAddress + 8 * i, get(x)))
    })
    const end = address + 8 * words.length
    this.#f.emit(call(functionIndex, i32.constant(address), i32.constant(end)))
    return state.map((_, i) => this.#let(i64.load(base, stateAddress + 8 * i)))
  }

  /** Renders a step as a function of (address of the first table entry, address after the last) on the state in memory. */
  #render(step: Step, table: ConstantTable, stateLength: number): RenderedStep {
    const { stateAddress, module, steps } = this.#context
    const f = new FunctionBuilder(["i32", "i32"], [])
    const [entry, end] = [f.parameter(0), f.parameter(1)]
    const ops = new WasmOps(this.#context, f, entry)
    const columns = table[0]!.map((_, column) => ({ column, table }))
    const base = i32.constant(0)
    const state = Array.from({ length: stateLength }, (_, i) => f.let("i64", i64.load(base, stateAddress + 8 * i)))
    f.loop(() => {
      step.apply(ops, state, columns).forEach((next, i) => {
        f.set(state[i]!, get(next))
      })
      f.set(entry, i32.add(get(entry), i32.constant(16 * columns.length)))
      return i32.lessThan(get(entry), get(end))
    })
    state.forEach((x, i) => {
      f.emit(i64.store(base, stateAddress + 8 * i, get(x)))
    })
    const rendered = { functionIndex: module.add(f), columns: ops.#columns }
    steps.set(step, rendered)
    return rendered
  }

  #let(value: Expression): Local {
    return this.#f.let("i64", value)
  }
}

/** Returns the sum. @throws RangeError if `high` could overflow */
function bounded(sum: Estimated): Estimated {
  if (sum.max >= 2 ** 31) throw new RangeError("the sum can exceed 2^95 and overflow its high word")
  return sum
}
