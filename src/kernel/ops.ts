/**
 * The vocabulary that the search program is written in, and that every renderer gives a meaning to: WebAssembly and
 * x86-64 append instructions, PTX and OpenCL print text, the interpreter computes.
 *
 * `V` is an element of the Goldilocks field, held in whatever form the target multiplies best (a 64-bit word, two
 * 32-bit limbs; one lane, four or eight) and not necessarily canonical. `W` is an unreduced sum: products, elements and
 * constants added up in whatever form the target adds fastest (128 bits, limbs of radix 2^32 or 2^52), to be reduced
 * once at the end. All meanings are modulo p. A renderer knows the bounds of its own form and refuses, while it renders,
 * a sum that could overflow.
 */

/** A constant of the field, known while rendering, or an entry of the row that a `repeat` stands at. */
export type Constant = bigint | RowEntry

/** Entry `column` of the current row of constants, in a loop that the renderer rolls. */
export interface RowEntry {
  readonly column: number
  /** All rows of the loop, so that the renderer can lay its table out. */
  readonly rows: ConstantRows
}

/** Constants of a loop, `[iteration][column]`, canonical. */
export type ConstantRows = readonly (readonly bigint[])[]

/**
 * A loop's body. Renderers that roll loops render a step once for all loops over it, so a step is one object and takes
 * everything that varies from its arguments.
 */
export interface Step {
  /** For listings. */
  readonly name?: string
  /** From one state to the next, of the same length. */
  apply<V, W>(ops: Ops<V, W>, state: readonly V[], constants: readonly Constant[]): V[]
  /** Its operations mostly wait for each other: a target that can does well to work on several states at once. */
  readonly isSerial?: boolean
  /** Elements from this one on are linear (see `reduceLinear`) on their way in and out; absent: none. */
  readonly linearFrom?: number
}

export interface Ops<V, W> {
  /** Whether a constant that is added to a product costs no operation. */
  readonly productsTakeConstants: boolean

  /** a² */
  square(a: V): V
  /** a · b */
  multiply(a: V, b: V): V
  /** a · b, unreduced */
  product(a: V, b: V): W
  /** The empty sum. */
  zero(): W
  widen(a: V): W
  add(a: W, b: W): W
  /** 2a */
  double(a: W): W
  addConstant(a: W, constant: Constant): W
  /** sum + a · constant */
  multiplyAdd(sum: W, a: V, constant: Constant): W
  reduce(a: W): V
  /** The same, of an element that is from here on added and multiplied by constants: a target may leave it larger. */
  reduceLinear(a: W): V
  /** The same sum in a form that is cheap to add many times. */
  settle(a: W): W

  /** Applies `step` once per row of constants. */
  repeat(step: Step, rows: ConstantRows, state: readonly V[]): V[]
}
