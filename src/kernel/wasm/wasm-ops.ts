/**
 * The vocabulary of `ops.ts` in WebAssembly. With φ = 2^32: φ² ≡ φ − 1 and φ³ ≡ −1 modulo p, so 2^64 ≡ φ − 1 = EPS.
 *
 * An element is one i64 of any value. A sum T is a pair: `low` = T mod 2^64, wrapping freely, and `high` ≈ T / 2^32, a
 * signed number that lacks the carries out of the low halves. ⌊high / 2^32⌋ is then the number q of times that `low`
 * wrapped, and T ≡ low + q · EPS. Two things can go wrong, both rarely and both costing one nonce only: `high` is off
 * across a multiple of 2^32 (its error is a few units, its mean is corrected for), and low + q · EPS wraps once more
 * (with probability |q| / 2^32, which is why sums are centred around 0 where a constant is added anyway).
 */
import { P } from "../../pow/field.ts"
import type { Constant, ConstantRows, Ops, Step } from "../ops.ts"
import { call, type Expression, FunctionBuilder, get, i32, i64, type Local, type ModuleBuilder } from "./module.ts"

export interface Pair {
  /** Undefined: 0. */
  readonly low: Local | undefined
  readonly high: Local | undefined
  /** The expected value of T / 2^64, its factors taken as uniform. */
  readonly mean: number
  /** The largest |T| / 2^64; below 2^31, so that `high` does not overflow. */
  readonly limit: number
  /** The expected value of T / 2^32 − high. */
  readonly cut: number
}

const EPS = 2n ** 32n - 1n

/** How a target multiplies two words: an expression that leaves the low and the high word of the product. */
export type WideMultiply = (f: FunctionBuilder, a: Local, b: Expression) => [low: Local, high: Local]

/** A step that was rendered as a function of the module. */
interface RenderedStep {
  readonly functionIndex: number
  /** By column: how often p is taken off a constant to centre the sum it is added to, and what `high` is corrected by. */
  readonly columns: readonly { centre: bigint; correction: bigint }[]
}

/** What the functions of one module share. */
export interface ModuleContext {
  readonly module: ModuleBuilder
  readonly wideMultiply: WideMultiply
  /** Address of 12 words through which a state goes into a step's function and out of it. */
  readonly stateAddress: number
  /** Reserves memory for data. @returns its address */
  allocate(bytes: Uint8Array): number
  readonly steps: Map<Step, RenderedStep>
}

export class WasmOps implements Ops<Local, Pair> {
  readonly productsTakeConstants = false
  readonly #context: ModuleContext
  readonly #f: FunctionBuilder
  /** Where the current row of constants stands, inside a step's function. */
  readonly #row: Local | undefined
  readonly #columns: { centre: bigint; correction: bigint }[] = []

  constructor(context: ModuleContext, f: FunctionBuilder, row?: Local) {
    this.#context = context
    this.#f = f
    this.#row = row
  }

  square(a: Local): Local {
    return this.multiply(a, a)
  }

  /**
   * lo + 2^64 hi ≡ (lo − hi_high) + hi_low · EPS. The borrow of the first difference (probability 2^-33) is dropped, the
   * carry of the sum is not.
   */
  multiply(a: Local, b: Local): Local {
    const [lo, hi] = this.#context.wideMultiply(this.#f, a, get(b))
    const first = this.#let(i64.sub(get(lo), i64.shiftRight(get(hi), 32)))
    const second = this.#let(i64.mul(i64.and(get(hi), i64.constant(EPS)), i64.constant(EPS)))
    const sum = this.#let(i64.add(get(first), get(second)))
    const carried = i64.lessThan(get(sum), get(second))
    return this.#let(i64.add(get(sum), i64.select(i64.constant(EPS), i64.constant(0n), carried)))
  }

  product(a: Local, b: Local): Pair {
    return this.#pairOf(this.#context.wideMultiply(this.#f, a, get(b)))
  }

  /** The same as in `multiply`, but nothing is carried. */
  #pairOf([lo, hi]: readonly [Local, Local]): Pair {
    const middle = this.#let(i64.and(get(hi), i64.constant(EPS)))
    const first = i64.sub(get(lo), i64.shiftRight(get(hi), 32))
    const low = this.#let(i64.add(first, i64.mul(get(middle), i64.constant(EPS))))
    const high = this.#let(i64.add(i64.shiftRight(get(lo), 32), get(middle)))
    return { low, high, mean: 1, limit: 2, cut: -0.5 }
  }

  zero(): Pair {
    return { low: undefined, high: undefined, mean: 0, limit: 0, cut: 0 }
  }

  widen(a: Local): Pair {
    return { low: a, high: this.#let(i64.shiftRight(get(a), 32)), mean: 0.5, limit: 1, cut: 0.5 }
  }

  add(a: Pair, b: Pair): Pair {
    if (a.low === undefined) return b
    if (b.low === undefined) return a
    return bounded({
      low: this.#let(i64.add(get(a.low), get(b.low))),
      high: this.#let(i64.add(get(a.high!), get(b.high!))),
      mean: a.mean + b.mean,
      limit: a.limit + b.limit,
      cut: a.cut + b.cut,
    })
  }

  double(a: Pair): Pair {
    return this.add(a, a)
  }

  addConstant(a: Pair, constant: Constant): Pair {
    const centre = BigInt(Math.round(a.mean))
    const correction = BigInt(Math.round(a.cut))
    const rest = { mean: a.mean + 0.5 - Number(centre), limit: a.limit + 1, cut: a.cut - Number(correction) }
    if (typeof constant === "bigint") {
      const [low, high] = centred(constant, centre, correction).map(word => this.#let(i64.constant(word)))
      return a.low === undefined
        ? { low, high, ...rest }
        : bounded({
            low: this.#let(i64.add(get(a.low), get(low!))),
            high: this.#let(i64.add(get(a.high!), get(high!))),
            ...rest,
          })
    }
    this.#columns[constant.column] = { centre, correction }
    const word = (i: 0 | 1) => i64.load(get(this.#row!), 16 * constant.column + 8 * i)
    const plus = (local: Local | undefined, i: 0 | 1) => (local ? i64.add(get(local), word(i)) : word(i))
    return bounded({ low: this.#let(plus(a.low, 0)), high: this.#let(plus(a.high, 1)), ...rest })
  }

  multiplyAdd(sum: Pair, a: Local, constant: Constant): Pair {
    if (typeof constant !== "bigint") throw new TypeError("rows of constants are added only")
    const product = this.#pairOf(this.#context.wideMultiply(this.#f, a, i64.constant(constant)))
    return this.add(sum, product)
  }

  reduce(a: Pair): Local {
    const correction = BigInt(Math.round(a.cut))
    const high = correction === 0n ? get(a.high!) : i64.add(get(a.high!), i64.constant(correction))
    const wraps = i64.shiftRightSigned(high, 32)
    return this.#let(i64.add(get(a.low!), i64.mul(wraps, i64.constant(EPS))))
  }

  reduceLinear(a: Pair): Local {
    return this.reduce(a)
  }

  settle(a: Pair): Pair {
    return this.widen(this.reduce(a))
  }

  repeat(step: Step, rows: ConstantRows, state: readonly Local[]): Local[] {
    const { functionIndex, columns } = this.#context.steps.get(step) ?? this.#render(step, rows, state.length)
    const words = rows.flatMap(row => row.flatMap((c, i) => centred(c, columns[i]!.centre, columns[i]!.correction)))
    const table = this.#context.allocate(new Uint8Array(BigUint64Array.from(words).buffer))
    const { stateAddress } = this.#context
    const base = i32.constant(0)
    state.forEach((x, i) => {
      this.#f.emit(i64.store(base, stateAddress + 8 * i, get(x)))
    })
    const end = table + 8 * words.length
    this.#f.emit(call(functionIndex, i32.constant(table), i32.constant(end)))
    return state.map((_, i) => this.#let(i64.load(base, stateAddress + 8 * i)))
  }

  /** Renders a step as a function of (first row, end of rows) that works on the state in memory. */
  #render(step: Step, rows: ConstantRows, stateLength: number): RenderedStep {
    const { stateAddress, module, steps } = this.#context
    const f = new FunctionBuilder(["i32", "i32"], [])
    const [row, end] = [f.parameter(0), f.parameter(1)]
    const ops = new WasmOps(this.#context, f, row)
    const columns = rows[0]!.map((_, column) => ({ column, rows }))
    const base = i32.constant(0)
    const state = Array.from({ length: stateLength }, (_, i) => f.let("i64", i64.load(base, stateAddress + 8 * i)))
    f.loop(() => {
      step.apply(ops, state, columns).forEach((next, i) => {
        f.set(state[i]!, get(next))
      })
      f.set(row, i32.add(get(row), i32.constant(16 * columns.length)))
      return i32.lessThan(get(row), get(end))
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

/** The two words of c − centre · p, and what `high` is corrected by. */
function centred(constant: bigint, centre: bigint, correction: bigint): [low: bigint, high: bigint] {
  const value = constant - centre * P
  return [BigInt.asUintN(64, value), BigInt.asUintN(64, (value >> 32n) + correction)]
}

function bounded(pair: Pair): Pair {
  if (pair.limit >= 2 ** 31) throw new RangeError("a sum of more than 2^95 would overflow")
  return pair
}
