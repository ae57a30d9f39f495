/** The chunks of a range that a worker searches: its own unfinished one, one that another worker left, or a new one. */
import type { NonceRange } from "../../sources/source.ts"
import type { Tested } from "./commits.ts"
import { chunkOf, nonceAt } from "./range.ts"
import type { Progress, WorkerMemory, WorkerSlot } from "./views.ts"

export interface ChunkOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
}

/** The chunk to search now, owned by the slot; undefined if the range has none left or the work was replaced. */
export function currentChunk({ memory, slot }: ChunkOptions, sequence: number, range: NonceRange): Chunk | undefined {
  const own = slot.progress(sequence)
  const part = own && chunkOf(range, own.chunk)
  if (own && part && own.offset < part.end) return new Chunk(slot, own, part.base, part.end)
  const next = nextChunk(memory, slot, sequence, range)
  if (!next) return undefined
  slot.beginChunk(sequence, next)
  const { base, end } = chunkOf(range, next.chunk)!
  return new Chunk(slot, next, base, end)
}

function nextChunk(memory: WorkerMemory, slot: WorkerSlot, sequence: number, range: NonceRange): Progress | undefined {
  for (const other of memory.slots) {
    if (other === slot || !other.leaving) continue
    const left = other.progress(sequence)
    if (left && other.takeChunk(left)) return left
  }
  const chunk = memory.leaseChunk(sequence)
  const part = chunk === undefined ? undefined : chunkOf(range, chunk)
  return part && { chunk: chunk!, offset: part.begin }
}

/** A worker's place in its chunk, valid until another worker inherits the chunk. */
export class Chunk {
  /** 64 bytes: the nonce at offset 0, whose last 12 bits are 0. */
  readonly base: Uint8Array
  readonly #end: number
  readonly #slot: WorkerSlot
  #progress: Progress

  constructor(slot: WorkerSlot, progress: Progress, base: Uint8Array, end: number) {
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

  /** False once another worker has inherited the chunk. */
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
