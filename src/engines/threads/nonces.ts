/**
 * Which nonces a worker searches, and the midstates that they are searched from: planes without end for a work, chunks
 * for a work with a range.
 */
import { type PermuteInPlace, PLANE_ROWS, planeNonce, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import { permute } from "../../pow/poseidon2.ts"
import { baseNonce } from "./base-nonce.ts"
import { type Chunk, currentChunk } from "./chunks.ts"
import type { Commits, Tested } from "./commits.ts"
import { rangeOf } from "./range.ts"
import type { SharedWork, WorkerMemory, WorkerSlot } from "./views.ts"

/** The part of a kernel or device search that takes midstates, which must be exact; preparing one discards the other. */
export interface Preparable {
  preparePlane(state: BigUint64Array): void
  prepareRange(state: BigUint64Array): void
}

export interface NoncesOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
  /** `SALT_BYTES`, the same for all workers of the engine. */
  readonly salt: Uint8Array
  /** Makes the engine look at the slot. */
  readonly notify: () => void
  readonly kernel: Preparable
}

export class Nonces {
  readonly #options: NoncesOptions
  readonly #commits: Commits
  #plane: Plane | undefined
  /** What the kernel was prepared for last. */
  #prepared: Plane | { readonly kind: "range"; readonly sequence: number; readonly head: Uint8Array } | undefined

  constructor(options: NoncesOptions, commits: Commits) {
    this.#options = options
    this.#commits = commits
  }

  /**
   * Gives up the plane and what the kernel is prepared for, when a search begins or resumes. If that was wrong, by a dropped
   * carry or a fault of the hardware, it costs one candidate, after which the search resumes.
   */
  renew(): void {
    this.#plane = undefined
    this.#prepared = undefined
  }

  /** The plane of `work` that the kernel is prepared for, with at least one row left. */
  plane(work: SharedWork): Plane {
    const { slot, salt, kernel } = this.#options
    if (this.#plane?.sequence !== work.sequence || this.#plane.rowsLeft === 0)
      this.#plane = new Plane(work.sequence, baseNonce(work.prefix, salt, slot.index, slot.nextPlane()))
    if (this.#prepared !== this.#plane) kernel.preparePlane(this.#sponge(work, this.#plane.base))
    this.#prepared = this.#plane
    return this.#plane
  }

  /**
   * The chunk of the work's range to search now, with the kernel prepared for it. If none is left, the worker is reported
   * as drained and the result is undefined.
   */
  chunk(work: SharedWork, version: number): Chunk | undefined {
    const { slot, notify } = this.#options
    const chunk = currentChunk(this.#options, work.sequence, rangeOf(work.range!))
    if (chunk) this.#prepareRange(work, chunk)
    else if (this.#commits.continues(version)) {
      slot.markDrained(version)
      notify()
    }
    return chunk
  }

  #prepareRange(work: SharedWork, { base }: Chunk): void {
    const head = base.slice()
    head.fill(0, 60)
    const current = this.#prepared
    const isPrepared = current?.kind === "range" && current.sequence === work.sequence
    if (isPrepared && current.head.every((byte, i) => byte === head[i])) return
    this.#options.kernel.prepareRange(this.#sponge(work, head))
    this.#prepared = { kind: "range", sequence: work.sequence, head }
  }

  #sponge(work: SharedWork, nonce: Uint8Array): BigUint64Array {
    return spongeBeforeLast(work.header, nonce, permuteExactly)
  }
}

/**
 * Computes midstates: two permutations for each plane, or each 2^32 nonces of a range. Some kernels' permutations drop a
 * carry in one of a million midstates; all candidates of the plane would be wrong.
 */
const permuteExactly: PermuteInPlace = state => state.set(permute([...state]))

/** A plane that one worker searches from its first row on. */
export class Plane {
  readonly kind = "plane"
  readonly sequence: number
  /** 64 bytes. */
  readonly base: Uint8Array
  #row = 0

  constructor(sequence: number, base: Uint8Array) {
    this.sequence = sequence
    this.base = base
  }

  get rowsLeft(): number {
    return PLANE_ROWS - this.#row
  }

  /** Takes the next `count` rows (1 … rowsLeft). @returns the first one's number */
  takeRows(count: number): number {
    const first = this.#row
    this.#row += count
    return first
  }

  /** `count` nonces of rows of `width` nonces from row `first` on, as tested. @param hits offset: row · width + column */
  tested(first: number, width: number, count: number, hits: Uint32Array): Tested {
    return {
      count,
      hits,
      nonce: offset => planeNonce(this.base, first + Math.floor(offset / width), offset % width),
      isMine: () => true,
      done: () => true,
    }
  }
}
