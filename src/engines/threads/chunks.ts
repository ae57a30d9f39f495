/** The chunks of a range that a worker searches. */
import type { NonceRange } from "../../sources/source.ts"
import type { Tested } from "./commits.ts"
import { type ChunkPart, chunkOf, nonceAt } from "./range.ts"
import type { Progress, WorkerMemory, WorkerSlot } from "./views.ts"

export interface ChunkOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
}

/**
 * The chunk to search now, owned by the slot: its unfinished one, which the engine may have given it, or a new one.
 * Undefined if the range has none left or the work was replaced.
 */
export function currentChunk({ memory, slot }: ChunkOptions, sequence: number, range: NonceRange): Chunk | undefined {
  const own = slot.progress(sequence)
  const part = own && chunkOf(range, own.chunk)
  if (own && part && own.offset < part.end) return new Chunk(slot, own, part)
  const next = memory.lease(slot, sequence, chunk => chunkOf(range, chunk))
  return next && new Chunk(slot, next, chunkOf(range, next.chunk)!)
}

/** A worker's place in its chunk, valid until the engine reclaims the chunk. */
export class Chunk {
  /** 64 bytes: the nonce at offset 0, whose last 12 bits are 0. */
  readonly base: Uint8Array
  readonly #end: number
  readonly #slot: WorkerSlot
  #progress: Progress

  constructor(slot: WorkerSlot, progress: Progress, { base, end }: ChunkPart) {
    this.#slot = slot
    this.#progress = progress
    this.base = base
    this.#end = end
  }

  /** Last four bytes of the next nonce to test, big-endian. */
  get first(): number {
    return new DataView(this.base.buffer).getUint32(60) + this.#progress.offset
  }

  /** Nonces left to test. */
  get left(): number {
    return this.#end - this.#progress.offset
  }

  /** False once the engine has reclaimed the chunk. */
  get isMine(): boolean {
    return this.#slot.holds(this.#progress)
  }

  /** The `count` nonces from `first` on, as tested by one call. @param hits offsets from `first` */
  tested(count: number, hits: Uint32Array): Tested {
    const begin = this.#progress.offset
    return {
      count,
      hits,
      nonce: offset => nonceAt(this.base, begin + offset),
      isMine: () => this.isMine,
      done: offset => this.#advance(begin + offset),
    }
  }

  #advance(offset: number): boolean {
    const isMine = this.#slot.advance(this.#progress, offset)
    if (isMine) this.#progress = { ...this.#progress, offset }
    return isMine
  }
}
