/** Which chunk of a range a worker searches next, and where it is in one. */
import type { NonceRange } from "../../sources/source.ts"
import { chunkOf } from "./range.ts"
import type { Progress, SharedMemory, Slot } from "./shared-memory.ts"

/**
 * A chunk of the range of `sequence` that a worker left unfinished, or else one that nobody has begun; undefined where
 * there is none, or where `sequence` is not the current work any more.
 */
export function nextChunk(memory: SharedMemory, slot: Slot, sequence: number, range: NonceRange): Progress | undefined {
  for (const other of memory.slots) {
    if (other === slot || !other.leaving) continue
    const left = other.progress(sequence)
    if (left && other.takeChunk(left)) return left
  }
  const chunk = memory.leaseChunk(sequence)
  const part = chunk === undefined ? undefined : chunkOf(range, chunk)
  return part && { chunk: chunk!, offset: part.begin }
}

/** Where a worker is in its chunk, for as long as no other inherits that. */
export class Place {
  readonly #slot: Slot
  #progress: Progress

  constructor(slot: Slot, progress: Progress) {
    this.#slot = slot
    this.#progress = progress
  }

  get offset(): number {
    return this.#progress.offset
  }

  get isMine(): boolean {
    return this.#slot.holds(this.#progress)
  }

  /** @returns false where another worker has inherited the chunk */
  advance(offset: number): boolean {
    const isMine = this.#slot.advance(this.#progress, offset)
    if (isMine) this.#progress = { ...this.#progress, offset }
    return isMine
  }
}
