/**
 * A writer for the part of the WebAssembly binary format (core specification, chapter 5) that a module with one memory
 * needs. Functions are built from expressions.
 */

/** Code that leaves one value on the stack, as bytes. */
export type Expression = readonly number[]

export type ValueType = "i32" | "i64"

const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e }

/** A local variable of the function being built. */
export interface Local {
  readonly type: ValueType
  readonly index: number
}

/** Builds the body of one function. */
export class FunctionBuilder {
  readonly #locals: ValueType[] = []
  readonly #code: number[] = []

  constructor(
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
  ) {}

  /** Returns the parameter's local. */
  parameter(index: number): Local {
    return { type: this.parameters[index]!, index }
  }

  /** Returns a new local with initial value 0. */
  local(type: ValueType): Local {
    this.#locals.push(type)
    return { type, index: this.parameters.length + this.#locals.length - 1 }
  }

  /** Returns a new local and assigns the expression's value to it. */
  let(type: ValueType, value: Expression): Local {
    const local = this.local(type)
    this.set(local, value)
    return local
  }

  /** Assigns a value to a local. */
  set(local: Local, value: Expression): void {
    this.emit([...value, 0x21, ...unsigned(local.index)])
  }

  /** Returns two new i64 locals and assigns two values to them. @param values code that leaves low, then high */
  letPair(values: Expression): [low: Local, high: Local] {
    const pair = [this.local("i64"), this.local("i64")] as const
    this.emit([...values, 0x21, ...unsigned(pair[1].index), 0x21, ...unsigned(pair[0].index)])
    return [pair[0], pair[1]]
  }

  /** Appends code. */
  emit(code: Expression): void {
    for (const byte of code) this.#code.push(byte)
  }

  /** Emits a loop that repeats while the i32 that `body` returns is not 0. */
  loop(body: () => Expression): void {
    this.emit([0x03, 0x40])
    this.emit([...body(), 0x0d, 0x00, 0x0b])
  }

  /** Emits `body` under the condition that an i32 is not 0. */
  when(condition: Expression, body: () => void): void {
    this.emit([...condition, 0x04, 0x40])
    body()
    this.emit([0x0b])
  }

  /** Returns the function's entry in the code section. */
  encode(): number[] {
    const locals = this.#locals.flatMap(type => [1, TYPE_CODE[type]])
    const body = [...unsigned(this.#locals.length), ...locals, ...this.#code, 0x0b]
    return [...unsigned(body.length), ...body]
  }
}

/** Builds a module from functions and data. */
export class ModuleBuilder {
  readonly #functions: FunctionBuilder[] = []
  readonly #exports: { name: string; index: number }[] = []
  readonly #data: { address: number; bytes: Uint8Array }[] = []

  /** Adds a function. @returns its index, for `call` */
  add(body: FunctionBuilder, exportName?: string): number {
    const index = this.#functions.push(body) - 1
    if (exportName) this.#exports.push({ name: exportName, index })
    return index
  }

  /** Sets the memory's initial contents at an address. */
  data(address: number, bytes: Uint8Array): void {
    this.#data.push({ address, bytes })
  }

  /** Returns the module's bytes. Its memory is exported as `memory`. @param pages size of the memory in 64 KiB pages */
  encode(pages: number): Uint8Array<ArrayBuffer> {
    const types = this.#functions.map(f => [0x60, ...vector(f.parameters.map(code)), ...vector(f.results.map(code))])
    const exports = this.#exports.map(({ name, index }) => [...text(name), 0x00, ...unsigned(index)])
    const data = this.#data.map(({ address, bytes }) => [0x00, ...i32.constant(address), 0x0b, ...vector([...bytes])])
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, types),
      ...section(
        3,
        types.map((_, i) => unsigned(i)),
      ),
      ...section(5, [[0x00, ...unsigned(pages)]]),
      ...section(7, [[...text("memory"), 0x02, 0x00], ...exports]),
      ...section(
        10,
        this.#functions.map(f => f.encode()),
      ),
      ...section(11, data),
    ])
  }
}

const code = (type: ValueType): number => TYPE_CODE[type]

const section = (id: number, entries: readonly (readonly number[])[]): number[] => {
  const body = [...unsigned(entries.length), ...entries.flat()]
  return [id, ...unsigned(body.length), ...body]
}

const vector = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes]

const text = (name: string): number[] => vector([...new TextEncoder().encode(name)])

/** Encodes an unsigned integer as LEB128. @param value 0 … 2^32 − 1 */
export function unsigned(value: number): number[] {
  const bytes: number[] = []
  do {
    const rest = Math.floor(value / 128)
    bytes.push((value % 128) + (rest > 0 ? 128 : 0))
    value = rest
  } while (value > 0)
  return bytes
}

/** Encodes a signed integer as LEB128. @param value −2^63 … 2^63 − 1 */
export function signed(value: bigint): number[] {
  const bytes: number[] = []
  for (;;) {
    const low = Number(value & 0x7fn)
    value >>= 7n
    const done = (value === 0n && low < 0x40) || (value === -1n && low >= 0x40)
    bytes.push(done ? low : low + 0x80)
    if (done) return bytes
  }
}

/** Reads a local. */
export const get = (local: Local): Expression => [0x20, ...unsigned(local.index)]

/** Calls a function. @param index from `ModuleBuilder.add` */
export const call = (index: number, ...args: Expression[]): Expression => [...args.flat(), 0x10, ...unsigned(index)]

const binary =
  (opcode: number) =>
  (a: Expression, b: Expression): Expression => [...a, ...b, opcode]

/** Operations on i32, wrapping modulo 2^32; comparisons are unsigned. */
export const i32 = {
  constant: (value: number): Expression => [0x41, ...signed(BigInt(value | 0))],
  add: binary(0x6a),
  mul: binary(0x6c),
  lessThan: binary(0x49),
  notEqual: binary(0x47),
  /** @param address an i32 */
  store: (address: Expression, offset: number, value: Expression): Expression => [
    ...[...address, ...value],
    ...[0x36, 2, ...unsigned(offset)],
  ],
}

/** Operations on i64, wrapping modulo 2^64; comparisons, and shifts unless named otherwise, are unsigned. */
export const i64 = {
  constant: (value: bigint): Expression => [0x42, ...signed(BigInt.asIntN(64, value))],
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  shiftLeft: (a: Expression, by: number): Expression => [...a, ...i64.constant(BigInt(by)), 0x86],
  shiftRightSigned: (a: Expression, by: number): Expression => [...a, ...i64.constant(BigInt(by)), 0x87],
  shiftRight: (a: Expression, by: number): Expression => [...a, ...i64.constant(BigInt(by)), 0x88],
  /** Computes a < b as an i32, 0 or 1. */
  lessThan: binary(0x54),
  /** Computes a ≤ b as an i32, 0 or 1. */
  notAbove: binary(0x58),
  /** Returns a if `condition` (an i32) is not 0, else b. */
  select: (a: Expression, b: Expression, condition: Expression): Expression => [...a, ...b, ...condition, 0x1b],
  /** Zero-extends an i32. */
  extend: (a: Expression): Expression => [...a, 0xad],
  /** Loads a word. @param address an i32 */
  load: (address: Expression, offset: number): Expression => [...address, 0x29, 3, ...unsigned(offset)],
  /** Stores a word. @param address an i32 */
  store: (address: Expression, offset: number, value: Expression): Expression => [
    ...[...address, ...value],
    ...[0x37, 3, ...unsigned(offset)],
  ],
  /** Computes a · b as two words, low then high: `i64.mul_wide_u` of the wide-arithmetic proposal. */
  mulWide: (a: Expression, b: Expression): Expression => [...a, ...b, 0xfc, 0x16],
  /** Computes a + b modulo 2^128, each as two words, low then high: `i64.add128` of the same proposal. */
  addWide: (a: readonly [Expression, Expression], b: readonly [Expression, Expression]): Expression => [
    ...a.flat(),
    ...b.flat(),
    ...[0xfc, 0x13],
  ],
}
