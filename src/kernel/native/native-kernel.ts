/** Calls a rendered kernel in machine code from TypeScript, through the context that its entry points work on. */
import { WIDTH } from "../../pow/constants.ts"
import type { Kernel } from "../kernel.ts"
import type { LoadedCode, NativeFunction, Pages } from "./memory.ts"

/** What the caller reads and writes of a context: byte offsets, and the number of nonces of a row. */
export interface NativeLayout {
  readonly input: number
  readonly target: number
  readonly first: number
  readonly batches: number
  readonly output: number
  /** Nonces per row. */
  readonly rowColumns: number
}

export type SearchEntry = "permute" | "preparePlane" | "searchRow" | "searchRange"

export interface NativeProgram {
  readonly layout: NativeLayout
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<SearchEntry, number>>
}

export abstract class NativeKernel implements Kernel {
  readonly row: number
  readonly hits: Uint32Array
  /** Nonces per batch. */
  readonly #lanes: number
  readonly #loaded: LoadedCode
  readonly #context: Pages
  readonly #entries: Readonly<Record<SearchEntry, NativeFunction>>
  readonly #input: BigUint64Array
  readonly #first: BigUint64Array
  readonly #batches: BigUint64Array
  readonly #target: BigUint64Array
  readonly #output: BigUint64Array

  /** @param lanes nonces per batch */
  constructor(
    readonly name: string,
    { layout, entries }: NativeProgram,
    lanes: number,
    loaded: LoadedCode,
    context: Pages,
  ) {
    const words = (offset: number, count: number) => new BigUint64Array(context.buffer, offset, count)
    this.#lanes = lanes
    this.#loaded = loaded
    this.#context = context
    this.#entries = {
      permute: loaded.entry(entries.permute),
      preparePlane: loaded.entry(entries.preparePlane),
      searchRow: loaded.entry(entries.searchRow),
      searchRange: loaded.entry(entries.searchRange),
    }
    this.#input = words(layout.input, WIDTH)
    this.#first = words(layout.first, 1)
    this.#batches = words(layout.batches, 1)
    this.#target = words(layout.target, 1)
    this.#output = words(layout.output, WIDTH)
    this.row = layout.rowColumns
    this.hits = new Uint32Array(this.row)
  }

  /** Writes the candidates among the first `count` nonces to `hits`. @returns their number */
  protected abstract collect(count: number): number

  /** @returns the word by which the code compares with a target's top 64 bits */
  protected abstract targetWord(top: bigint): bigint

  permute(state: BigUint64Array): void {
    this.#input.set(state)
    this.#call("permute")
    state.set(this.#output)
  }

  setTarget(top: bigint): void {
    this.#target[0] = this.targetWord(top)
  }

  preparePlane(state: BigUint64Array): void {
    this.#input.set(state)
    this.#call("preparePlane")
  }

  searchRow(t0: number): number {
    this.#first[0] = BigInt(t0)
    this.#call("searchRow")
    return this.collect(this.row)
  }

  prepareRange(state: BigUint64Array): void {
    this.#input.set(state)
  }

  searchRange(first: number, count: number): number {
    this.#first[0] = BigInt(first)
    this.#batches[0] = BigInt(Math.ceil(count / this.#lanes))
    this.#call("searchRange")
    return this.collect(count)
  }

  close(): void {
    this.#loaded.free()
    this.#context.free()
  }

  #call(entry: SearchEntry): void {
    this.#entries[entry](this.#context.address)
  }
}
