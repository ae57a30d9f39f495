/** The search program as a WebAssembly module: memory map, entry points, and the `Kernel` that calls them. */
import { WIDTH } from "../../pow/constants.ts"
import { P } from "../../pow/field.ts"
import { type Kernel, ROW, UnsupportedKernel } from "../kernel.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { call, type Expression, FunctionBuilder, get, i32, i64, type Local, ModuleBuilder } from "./module.ts"
import { type ModuleContext, WasmOps, type WideArithmetic } from "./wasm-ops.ts"

/*
 * Memory map:
 *
 *     INPUT    12 words        state passed by the caller; result of the permutation
 *     STATE    12 words        state passed to and from a step's function
 *     TOP      1 word          the target's top 64 bits
 *     PLANE    12 words        inputs of the first round's S-boxes for the base nonce
 *     ROWPART  12 words        row part of the current row
 *     COLUMNS  ROW × 12 words  column parts, canonical
 *     HITS     ROW × 4 bytes   indexes of the candidates
 *     TABLES   the rest        tables of constants, in the layout of `WasmOps`
 */
const WORDS = 8 * WIDTH
const INPUT = 0
const STATE = INPUT + WORDS
const TOP = STATE + WORDS
const PLANE = TOP + 8
const ROWPART = PLANE + WORDS
const COLUMNS = ROWPART + WORDS
const HITS = COLUMNS + ROW * WORDS
const TABLES = HITS + ROW * 4
const PAGE = 65536

/** Products by the instructions of the wide-arithmetic proposal. */
export const wide: WideArithmetic = {
  multiply: (f, a, b) => f.letPair(i64.mulWide(get(a), b)),
  add: (f, a, b) => f.letPair(i64.addWide(a, b)),
}

/** Products by the instructions of WebAssembly 1.0. */
export const narrow: WideArithmetic = {
  /** Computes a b = a0 b0 + (a0 b1 + a1 b0) φ + a1 b1 φ² from 32-bit digits. */
  multiply(f, a, bValue) {
    const let64 = (value: Expression) => f.let("i64", value)
    const low = (x: Local) => i64.and(get(x), i64.constant(0xffffffffn))
    const high = (x: Local) => i64.shiftRight(get(x), 32)
    const b = let64(bValue)
    const [a0, a1, b0, b1] = [let64(low(a)), let64(high(a)), let64(low(b)), let64(high(b))]
    const p00 = let64(i64.mul(get(a0), get(b0)))
    const middle = let64(i64.add(i64.mul(get(a1), get(b0)), high(p00)))
    const cross = let64(i64.add(i64.mul(get(a0), get(b1)), low(middle)))
    return [
      let64(i64.or(low(p00), i64.shiftLeft(get(cross), 32))),
      let64(i64.add(i64.add(i64.mul(get(a1), get(b1)), high(middle)), high(cross))),
    ]
  },
}

/** The arithmetic of each kernel, by name. */
const ARITHMETIC = { wasm: wide, "wasm-narrow": narrow } as const

export type WasmKernelName = keyof typeof ARITHMETIC

/** The module's exports. Their operands are in memory. */
interface Exports {
  readonly memory: WebAssembly.Memory
  permute(): void
  preparePlane(): void
  searchRow(t0: bigint): number
  searchRange(first: bigint, count: number): number
}

/** Renders the module of a kernel. @returns its bytes */
export const renderWasmModule = (name: WasmKernelName): Uint8Array<ArrayBuffer> => renderModule(ARITHMETIC[name])

/**
 * Renders and compiles the module of a kernel. Any number of threads can load the result.
 * @param name `wasm` requires a runtime with wide arithmetic; `wasm-narrow` runs on any
 * @throws UnsupportedKernel if the runtime rejects the module
 */
export function compileWasmKernel(name: WasmKernelName): WebAssembly.Module {
  const bytes = renderWasmModule(name)
  if (!WebAssembly.validate(bytes)) throw new UnsupportedKernel("this runtime's WebAssembly has no wide arithmetic")
  return new WebAssembly.Module(bytes)
}

/** Creates a kernel for the calling thread. @param module from `compileWasmKernel` */
export function loadWasmKernel(name: WasmKernelName, module: WebAssembly.Module): Kernel {
  return new WasmKernel(name, new WebAssembly.Instance(module).exports as unknown as Exports)
}

/** Compiles and loads a kernel. @throws UnsupportedKernel if the runtime rejects the module */
export const createWasmKernel = (name: WasmKernelName): Kernel => loadWasmKernel(name, compileWasmKernel(name))

class WasmKernel implements Kernel {
  readonly row = ROW
  readonly hits: Uint32Array
  readonly #input: BigUint64Array
  readonly #top: BigUint64Array
  readonly #exports: Exports

  constructor(
    readonly name: string,
    exports: Exports,
  ) {
    const { buffer } = exports.memory
    this.hits = new Uint32Array(buffer, HITS, ROW)
    this.#input = new BigUint64Array(buffer, INPUT, WIDTH)
    this.#top = new BigUint64Array(buffer, TOP, 1)
    this.#exports = exports
  }

  permute(state: BigUint64Array): void {
    this.#input.set(state)
    this.#exports.permute()
    state.set(this.#input)
  }

  setTarget(top: bigint): void {
    this.#top[0] = top
  }

  preparePlane(state: BigUint64Array): void {
    this.#input.set(state)
    this.#exports.preparePlane()
  }

  searchRow(t0: number): number {
    return this.#exports.searchRow(BigInt(t0))
  }

  prepareRange(state: BigUint64Array): void {
    this.#input.set(state)
  }

  searchRange(first: number, count: number): number {
    return this.#exports.searchRange(BigInt(first), count)
  }

  close(): void {}
}

/** Renders the module with the given arithmetic. @returns its bytes */
export function renderModule(arithmetic: WideArithmetic): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder()
  let next = TABLES
  const context: ModuleContext = {
    module,
    arithmetic,
    stateAddress: STATE,
    steps: new Map(),
    allocate(bytes) {
      const address = next
      next += bytes.length
      module.data(address, bytes)
      return address
    },
  }
  renderPermute(context)
  renderPreparePlane(context)
  const test = renderTest(context)
  renderSearchRow(context, test)
  renderSearchRange(context, test)
  return module.encode(Math.ceil(next / PAGE))
}

const base = i32.constant(0)

/** Loads consecutive words into new locals. */
const load = (f: FunctionBuilder, address: number, count = WIDTH): Local[] =>
  Array.from({ length: count }, (_, i) => f.let("i64", i64.load(base, address + 8 * i)))

/** Stores consecutive words at `address + offset`. */
function store(f: FunctionBuilder, address: Expression, offset: number, words: readonly Local[]): void {
  words.forEach((word, i) => {
    f.emit(i64.store(address, offset + 8 * i, get(word)))
  })
}

/** Computes x mod p. Assumes 0 ≤ x < 2^64. */
function canonical(f: FunctionBuilder, x: Local): Local {
  const p = i64.constant(P)
  return f.let("i64", i64.select(get(x), i64.sub(get(x), p), i64.lessThan(get(x), p)))
}

/** Renders permute(): permutes INPUT in place; the result is canonical. */
function renderPermute(context: ModuleContext): void {
  const f = new FunctionBuilder([], [])
  const state = permutation(new WasmOps(context, f), load(f, INPUT))
  store(
    f,
    base,
    INPUT,
    state.map(x => canonical(f, x)),
  )
  context.module.add(f, "permute")
}

/** Renders preparePlane(): computes PLANE and COLUMNS from INPUT. */
function renderPreparePlane(context: ModuleContext): void {
  const f = new FunctionBuilder([], [])
  const ops = new WasmOps(context, f)
  store(f, base, PLANE, plane(ops, load(f, INPUT)))
  const t1 = f.let("i64", i64.constant(0n))
  const entry = f.let("i32", i32.constant(COLUMNS))
  f.loop(() => {
    const part = columnPart(ops, load(f, PLANE), t1).map(x => canonical(f, x))
    store(f, get(entry), 0, part)
    f.set(entry, i32.add(get(entry), i32.constant(WORDS)))
    f.set(t1, i64.add(get(t1), i64.constant(1n)))
    return i64.lessThan(get(t1), i64.constant(BigInt(ROW)))
  })
  context.module.add(f, "preparePlane")
}

/**
 * Renders the test of one nonce, a function without parameters: STATE holds the state after the first round; the
 * result, an i32, is 1 for a candidate and 0 otherwise.
 * @returns the function's index
 */
function renderTest(context: ModuleContext): number {
  const f = new FunctionBuilder([], ["i32"])
  const element = canonical(f, hashElement(new WasmOps(context, f), load(f, STATE)))
  f.emit(i64.notAbove(byteSwapped(f, element), i64.load(base, TOP)))
  return context.module.add(f)
}

/** Reverses the bytes of x. The hash holds its elements little-endian but is compared as a big-endian U512. */
function byteSwapped(f: FunctionBuilder, x: Local): Expression {
  const swap = (x: Expression, bits: number, mask: bigint): Local => {
    const value = f.let("i64", x)
    const up = i64.shiftLeft(i64.and(get(value), i64.constant(mask)), bits)
    return f.let("i64", i64.or(i64.and(i64.shiftRight(get(value), bits), i64.constant(mask)), up))
  }
  const bytes = swap(get(x), 8, 0x00ff00ff00ff00ffn)
  const pairs = swap(get(bytes), 16, 0x0000ffff0000ffffn)
  return i64.or(i64.shiftRight(get(pairs), 32), i64.shiftLeft(get(pairs), 32))
}

/** Renders searchRow(t0: i64): tests a row of the plane and returns the number of hits, an i32. */
function renderSearchRow(context: ModuleContext, test: number): void {
  const f = new FunctionBuilder(["i64"], ["i32"])
  const ops = new WasmOps(context, f)
  store(f, base, ROWPART, rowPart(ops, load(f, PLANE), f.parameter(0)))
  const row = load(f, ROWPART)
  renderSearchLoop(f, i32.constant(ROW), test, index => {
    const entry = f.let("i32", i32.add(i32.mul(get(index), i32.constant(WORDS)), i32.constant(COLUMNS)))
    const column = row.map((_, i) => f.let("i64", i64.load(get(entry), 8 * i)))
    return crossing(ops, row, column)
  })
  context.module.add(f, "searchRow")
}

/** Renders searchRange(first: i64, count: i32): tests nonces of the range and returns the number of hits, an i32. */
function renderSearchRange(context: ModuleContext, test: number): void {
  const f = new FunctionBuilder(["i64", "i32"], ["i32"])
  const ops = new WasmOps(context, f)
  const state = load(f, INPUT)
  renderSearchLoop(f, get(f.parameter(1)), test, index => {
    const counter = f.let("i64", i64.add(get(f.parameter(0)), i64.extend(get(index))))
    const limb = f.let("i64", i64.shiftRight(byteSwapped(f, counter), 32))
    const last = ops.reduce(ops.add(ops.widen(state[7]!), ops.widen(limb)))
    return firstRound(ops, state.with(7, last))
  })
  context.module.add(f, "searchRange")
}

/**
 * Emits a loop that tests `count` nonces, stores the candidates' indexes in HITS and leaves their number.
 * @param afterFirstRound emits the state after the first round of the nonce at an index
 */
function renderSearchLoop(
  f: FunctionBuilder,
  count: Expression,
  test: number,
  afterFirstRound: (index: Local) => readonly Local[],
): void {
  const index = f.let("i32", i32.constant(0))
  const hits = f.let("i32", i32.constant(0))
  f.loop(() => {
    store(f, base, STATE, afterFirstRound(index))
    f.when(call(test), () => {
      f.emit(i32.store(i32.mul(get(hits), i32.constant(4)), HITS, get(index)))
      f.set(hits, i32.add(get(hits), i32.constant(1)))
    })
    f.set(index, i32.add(get(index), i32.constant(1)))
    return i32.lessThan(get(index), count)
  })
  f.emit(get(hits))
}
