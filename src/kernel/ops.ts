/**
 * The vocabulary of the search program. Each renderer implements it: those for WebAssembly, x86-64 and arm64 emit
 * instructions, those for PTX and OpenCL emit text, and the interpreter computes.
 *
 * `V` is an element of the Goldilocks field, not necessarily canonical, in the form that the processor multiplies
 * fastest (a 64-bit word or two 32-bit limbs, in one or several lanes). `W` is an unreduced sum of products, elements
 * and constants in the form that it adds fastest (128 bits, or limbs of radix 2^32 or 2^52); it is reduced once at the
 * end. All operations are modulo p. Every renderer tracks the bounds of its sums and throws, at render time, on a sum
 * that could overflow.
 */

/** A constant of the field: a value known at render time, or one of the current entry of a loop's table. */
export type Constant = bigint | TableEntry

/** The constant in column `column` of the current entry of a rolled loop's table. */
export interface TableEntry {
  readonly column: number
  /** The loop's table, from which a renderer derives the data that it stores. */
  readonly table: ConstantTable
}

/** Constants of a loop, `[entry][column]`, canonical. Each iteration uses one entry. */
export type ConstantTable = readonly (readonly bigint[])[]

/**
 * A loop body. Renderers that roll loops render a step once for all loops that use it, so a step is a single object and
 * depends on nothing but its arguments.
 */
export interface Step {
  /** Name in listings. */
  readonly name?: string
  /** Computes the next state, of the same length. */
  apply<V, W>(ops: Ops<V, W>, state: readonly V[], constants: readonly Constant[]): V[]
  /** Whether most operations depend on the one before, so that a renderer gains by interleaving several states. */
  readonly isSerial?: boolean
  /** Index of the first element that is linear (see `reduceLinear`) on input and output; absent if none is. */
  readonly linearFrom?: number
}

export interface Ops<V, W> {
  /** Whether adding a constant to a product costs no operation. */
  readonly productsTakeConstants: boolean
  /**
   * Whether an existing step costs less than a shorter dedicated one, because all steps must fit the core's first-level
   * instruction cache.
   */
  readonly reusesSteps?: boolean

  /** Computes a². */
  square(a: V): V
  /** Computes a · b. */
  multiply(a: V, b: V): V
  /** Computes a · b, unreduced. */
  product(a: V, b: V): W
  /** Returns the empty sum. */
  zero(): W
  /** Returns a as a sum. */
  widen(a: V): W
  /** Computes a + b. */
  add(a: W, b: W): W
  /** Computes 2a. */
  double(a: W): W
  /** Computes a + constant. */
  addConstant(a: W, constant: Constant): W
  /** Computes sum + a · constant. */
  multiplyAdd(sum: W, a: V, constant: Constant): W
  /** Reduces a sum to an element. */
  reduce(a: W): V
  /**
   * Reduces a sum to a linear element: one that is later only added and multiplied by constants. A renderer may allow
   * it a wider range than `reduce` does.
   */
  reduceLinear(a: W): V
  /** Returns the same sum in a form that is cheap to add several times. */
  settle(a: W): W

  /** Applies `step` once per entry of the table and returns the last state. */
  repeat(step: Step, table: ConstantTable, state: readonly V[]): V[]
}
