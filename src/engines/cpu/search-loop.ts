/**
 * What a worker does all its life: take up the current work, search it row by row, sleep when there is nothing to do.
 */
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { PLANE_ROWS, planeNonce, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import type { NonceRange } from "../../sources/source.ts"
import { baseNonce } from "./base-nonce.ts"
import { Commits } from "./commits.ts"
import { nextChunk, Place } from "./leases.ts"
import { CHUNK, chunkOf, nonceAt, rangeOf } from "./range.ts"
import type { Progress, SharedMemory, SharedWork, Slot } from "./shared-memory.ts"

export interface SearchOptions {
  readonly memory: SharedMemory
  readonly slot: Slot
  readonly kernel: Kernel
  /** `SALT_BYTES`, the same for all workers of the engine. */
  readonly salt: Uint8Array
  /** Tells the engine to look at the slot: at its ring, or at a range that has no chunk left. */
  readonly ring: () => void
}

/** Searches until the engine asks the worker to leave. */
export function searchLoop(options: SearchOptions): void {
  new Search(options).run()
}

class Search {
  readonly #memory: SharedMemory
  readonly #slot: Slot
  readonly #kernel: Kernel
  readonly #salt: Uint8Array
  readonly #ring: () => void
  readonly #commits: Commits
  #version = 0
  /** The plane that is being searched: its base, its next row, the work it was begun for. */
  #plane: { readonly sequence: number; readonly base: Uint8Array; row: number } | undefined
  /** What `prepareRange` was called with last: the sequence, and the nonce but for its last four bytes. */
  #prepared: { readonly sequence: number; readonly head: Uint8Array } | undefined

  constructor({ memory, slot, kernel, salt, ring }: SearchOptions) {
    this.#memory = memory
    this.#slot = slot
    this.#kernel = kernel
    this.#salt = salt
    this.#ring = ring
    this.#commits = new Commits({ memory, slot, ring })
  }

  run(): void {
    while (!this.#slot.leaving) {
      this.#slot.beat()
      this.#version = this.#memory.version
      const work = this.#memory.read(this.#version)
      if (work === undefined) continue
      if (work !== null) {
        this.#slot.take(work)
        this.#kernel.setTarget(work.top)
        if (work.range) this.#searchRange(work, rangeOf(work.range))
        else this.#searchPlanes(work)
      }
      if (!this.#slot.leaving) this.#memory.sleep(this.#version)
    }
  }

  /** Whether there is reason to test another row of the work of this version. */
  get #goesOn(): boolean {
    return this.#commits.goesOn(this.#version)
  }

  #searchPlanes(work: SharedWork): void {
    while (this.#goesOn) {
      const plane = this.#planeFor(work)
      const t0 = plane.row++
      const found = this.#kernel.searchRow(t0)
      this.#commits.commit(this.#version, work, {
        tested: this.#kernel.row,
        hits: this.#kernel.hits.subarray(0, found),
        nonce: t1 => planeNonce(plane.base, t0, t1),
        isMine: () => true,
        done: () => true,
      })
    }
  }

  #planeFor(work: SharedWork): { readonly base: Uint8Array; row: number } {
    if (this.#plane?.sequence === work.sequence && this.#plane.row < PLANE_ROWS) return this.#plane
    const base = baseNonce(work.prefix, this.#salt, this.#slot.index, this.#slot.nextPlane())
    this.#kernel.preparePlane(this.#sponge(work, base))
    this.#plane = { sequence: work.sequence, base, row: 0 }
    this.#prepared = undefined
    return this.#plane
  }

  #searchRange(work: SharedWork, range: NonceRange): void {
    while (this.#goesOn) {
      let progress = this.#slot.progress(work.sequence)
      let part = progress && chunkOf(range, progress.chunk)
      if (!progress || !part || progress.offset >= part.end) {
        progress = nextChunk(this.#memory, this.#slot, work.sequence, range)
        if (!progress) {
          if (!this.#goesOn) return
          this.#slot.markDrained(this.#version)
          this.#ring()
          return
        }
        this.#slot.beginChunk(work.sequence, progress)
        part = chunkOf(range, progress.chunk)!
      }
      this.#searchPart(work, part.base, progress, part.end)
    }
  }

  /** Searches rows of a chunk from `progress` on, until the chunk's end or for as long as the search goes on. */
  #searchPart(work: SharedWork, base: Uint8Array, progress: Progress, end: number): void {
    this.#prepareRange(work, base)
    const low = new DataView(base.buffer).getUint32(60)
    const place = new Place(this.#slot, progress)
    while (place.offset < end && this.#goesOn && place.isMine) {
      const begin = place.offset
      const count = Math.min(ROW, end - begin)
      const found = this.#kernel.searchRange(low + begin, count)
      this.#commits.commit(this.#version, work, {
        tested: count,
        hits: this.#kernel.hits.subarray(0, found),
        nonce: offset => nonceAt(base, begin + offset),
        isMine: () => place.isMine,
        done: offset => place.advance(begin + offset),
      })
    }
  }

  #prepareRange(work: SharedWork, base: Uint8Array): void {
    const head = base.slice(0, 60)
    const prepared = this.#prepared
    if (prepared?.sequence === work.sequence && prepared.head.every((byte, i) => byte === head[i])) return
    const nonce = new Uint8Array(64)
    nonce.set(head)
    this.#kernel.prepareRange(this.#sponge(work, nonce))
    this.#prepared = { sequence: work.sequence, head }
    this.#plane = undefined
  }

  #sponge(work: SharedWork, nonce: Uint8Array): BigUint64Array {
    return spongeBeforeLast(work.header, nonce, state => this.#kernel.permute(state))
  }
}

/** A row never crosses a chunk's end, nor a chunk four bytes' worth of nonces. */
if (CHUNK % ROW !== 0 || 2 ** 32 % CHUNK !== 0) throw new RangeError("chunks are whole rows, and divide 2^32")
