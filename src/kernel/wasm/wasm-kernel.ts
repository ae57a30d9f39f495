/** The search program as a WebAssembly module: its memory map, its entry points, and the kernel around them. */
import { WIDTH } from "../../pow/constants.ts"
import { P } from "../../pow/field.ts"
import { type Kernel, ROW, UnsupportedKernel } from "../kernel.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { call, type Expression, FunctionBuilder, get, i32, i64, type Local, ModuleBuilder } from "./module.ts"
import { type ModuleContext, WasmOps, type WideArithmetic } from "./wasm-ops.ts"

/*
 * Memory, in bytes:
 *
 *     INPUT    12 words   a state given by the caller, and the permutation's result
 *     STATE    12 words   a state on its way into and out of a step
 *     TOP       1 word    the target's first 64 bits
 *     PLANE    12 words   inputs of the first round's S-boxes
 *     ROWPART  12 words
 *     COLUMNS  ROW × 12 words, canonical
 *     HITS     ROW × 4 bytes
 *     TABLES   rows of constants, as `WasmOps` lays them out
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

/** The wide-arithmetic proposal's instructions. */
export const wide: WideArithmetic = {
  multiply: (f, a, b) => f.letPair(i64.mulWide(get(a), b)),
  add: (f, a, b) => f.letPair(i64.addWide(a, b)),
}

/** What any WebAssembly has. */
export const narrow: WideArithmetic = {
  /** a b = a0 b0 + (a0 b1 + a1 b0) 2^32 + a1 b1 2^64, by 32-bit limbs. */
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

/** By a kernel's name. */
const ARITHMETIC = { wasm: wide, "wasm-narrow": narrow } as const

export type WasmKernelName = keyof typeof ARITHMETIC

interface Exports {
  readonly memory: WebAssembly.Memory
  permute(): void
  preparePlane(): void
  searchRow(t0: bigint): number
  searchRange(first: bigint, count: number): number
}

/** The module's bytes. */
export const renderWasmModule = (name: WasmKernelName): Uint8Array<ArrayBuffer> => renderModule(ARITHMETIC[name])

/**
 * The compiled module, which any number of threads can load.
 * @param name `wasm` where the runtime has wide arithmetic, `wasm-narrow` anywhere
 * @throws UnsupportedKernel where the runtime does not take the module
 */
export function compileWasmKernel(name: WasmKernelName): WebAssembly.Module {
  const bytes = renderWasmModule(name)
  if (!WebAssembly.validate(bytes)) throw new UnsupportedKernel("this runtime's WebAssembly has no wide arithmetic")
  return new WebAssembly.Module(bytes)
}

/** @param module of `compileWasmKernel` */
export function loadWasmKernel(name: WasmKernelName, module: WebAssembly.Module): Kernel {
  return new WasmKernel(name, new WebAssembly.Instance(module).exports as unknown as Exports)
}

/** @throws UnsupportedKernel as `compileWasmKernel` */
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

/** The module's bytes. */
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
const load = (f: FunctionBuilder, address: number, count = WIDTH): Local[] =>
  Array.from({ length: count }, (_, i) => f.let("i64", i64.load(base, address + 8 * i)))

function store(f: FunctionBuilder, address: Expression, offset: number, words: readonly Local[]): void {
  words.forEach((word, i) => {
    f.emit(i64.store(address, offset + 8 * i, get(word)))
  })
}

/** x − p where x ≥ p. */
function canonical(f: FunctionBuilder, x: Local): Local {
  const p = i64.constant(P)
  return f.let("i64", i64.select(get(x), i64.sub(get(x), p), i64.lessThan(get(x), p)))
}

/** permute(): INPUT in place, canonical. */
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

/** preparePlane(): from the state in INPUT, PLANE and COLUMNS. */
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

/** A function from the state after the first round, in STATE, to an i32: whether the nonce is a candidate. */
function renderTest(context: ModuleContext): number {
  const f = new FunctionBuilder([], ["i32"])
  const element = canonical(f, hashElement(new WasmOps(context, f), load(f, STATE)))
  f.emit(i64.notAbove(byteSwapped(f, element), i64.load(base, TOP)))
  return context.module.add(f)
}

/** The hash's first eight bytes are its first element little-endian; as a U512's they are read big-endian. */
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

/** searchRow(t0: i64) → hits */
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

/** searchRange(first: i64, count: i32) → hits */
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

/** Tests `count` nonces, of which `afterFirstRound` gives the state by index, and stores the candidates' indices. */
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
