/**
 * Shared memory as the engine sees it and as a worker sees it. Both are views of the same bytes; each offers only what
 * its side may do.
 */

/** A work as workers see it. */
export interface SharedWork {
  readonly sequence: number
  /** Time of the assignment, from `sharedNow`. */
  readonly assignedAt: number
  /** 1 / difficulty. */
  readonly perHash: number
  /** Top 64 bits of the target. */
  readonly top: bigint
  /** 32 bytes. */
  readonly header: Uint8Array
  /** 0 … 16 bytes. */
  readonly prefix: Uint8Array
  /** 64 bytes each, big-endian, inclusive. */
  readonly range: { readonly first: Uint8Array; readonly last: Uint8Array } | undefined
  readonly stopAtCandidate: boolean
}

/** A worker's place in the range of `sequence`. */
export interface Progress {
  readonly sequence: number
  /** 0 … 2^41 − 1. */
  readonly chunk: bigint
  /** The first offset in the chunk that has not been tested. */
  readonly offset: number
}

/** Offsets of a chunk's nonces that lie inside the range, `end` excluded; undefined if the range has no such chunk. */
export type ChunkBounds = (chunk: bigint) => { readonly begin: number; readonly end: number } | undefined

/** What both sides read of the control block. */
interface ControlBlock {
  /** The sequence lock's value: it changes with every assignment and every reopening. */
  readonly version: number
}

export interface EngineMemory extends ControlBlock {
  /** For the workers' orders. */
  readonly buffer: SharedArrayBuffer
  readonly slots: readonly EngineSlot[]
  /** True if a worker has claimed the end of the current work. */
  readonly claimed: boolean
  /** Claims the end of the current work, so that workers stop; no row is admitted until `reopen`. */
  claim(): void
  /** Replaces the work and wakes all workers. @param work null: idle */
  assign(work: SharedWork | null): void
  /** Wakes workers that sleep because the work's end was claimed or its range had no chunk left. */
  reopen(): void
  /**
   * Takes from a worker that was asked to leave what it has not tested of its chunk, begun or only leased. The worker no
   * longer owns it then, even if it continues later.
   */
  reclaim(slot: EngineSlot, sequence: number, bounds: ChunkBounds): Progress | undefined
}

export interface WorkerMemory extends ControlBlock {
  readonly slots: readonly WorkerSlot[]
  /** The work of an even `version`; null if idle, undefined if the engine has replaced it meanwhile. */
  read(version: number): SharedWork | null | undefined
  /** Sleeps until the version changes, at most a quarter of a second. */
  sleep(version: number): void
  /** True while the work of `version` may be searched. */
  isOpen(version: number): boolean
  /**
   * Decides, by one exchange that is the same for every row, whether a row of the work of `version` counts: the search
   * has neither ended nor been replaced.
   * @param ends true if the row ends the search for all workers; then only one worker is admitted
   */
  admit(version: number, ends: boolean): boolean
  /**
   * Makes a worker the owner of the next chunk of the range of `sequence`.
   * @returns undefined if the range has none left, the work was replaced, or the engine has reclaimed the chunk
   */
  lease(slot: WorkerSlot, sequence: number, bounds: ChunkBounds): Progress | undefined
}

/** What both sides read of a slot. */
interface SlotState {
  readonly index: number
  /** True once the engine has asked the worker to end, or to take another order. */
  readonly leaving: boolean
  /** Sequence of the work that the worker took up last; 0: none. */
  readonly sequence: number
  /** The worker's place in its chunk of the range of `sequence`; undefined if it has begun none. */
  progress(sequence: number): Progress | undefined
}

export interface EngineSlot extends SlotState {
  /** Prepares the slot for a new worker. The count of planes continues, so that no nonce repeats. */
  reset(): void
  /** Asks the worker to end. */
  leave(): void
  /** Asks the worker to stop its search and to wait for another order. */
  recall(): void
  /** Increases at least every quarter of a second while the worker lives. */
  readonly heartbeat: number
  /** Nonces tested, all works. */
  readonly hashes: bigint
  /** Milliseconds spent in the kernel, all works; 0 for devices. */
  readonly busyMs: number
  /** Σ 1 / difficulty over the nonces counted. */
  readonly expectedSeals: number
  /** Milliseconds from the assignment of `sequence` until the worker took it up. */
  readonly switchMs: number
  /** Nonces counted for `sequence`. */
  hashesOf(sequence: number): bigint
  /** Version at which the range had no chunk left for this worker. */
  readonly drainedAt: number
  /** Gives the rest of a chunk to a worker that has drained the range; it continues there once it is woken. */
  give(progress: Progress): boolean
  /** The oldest candidate in the ring; it stays there until `drop`. */
  peek(): { readonly sequence: number; readonly nonce: Uint8Array } | undefined
  /** Frees the place of the oldest candidate. */
  drop(): void
}

export interface WorkerSlot extends SlotState {
  /** Shows that the worker lives. */
  beat(): void
  /** True if the worker is to wait for another order. */
  readonly isRecalled: boolean
  /** Takes up an order: the recall before it is over. */
  follow(): void
  /** Adds time spent in the kernel. */
  addBusy(ms: number): void
  /** Starts to count for a work. */
  take(work: SharedWork): void
  /** Adds nonces tested, whether they count for a work or not. */
  addHashes(count: number): void
  /** Adds nonces that count for the work taken last. */
  count(work: SharedWork, count: number): void
  /** Number of a plane that this slot has never begun. */
  nextPlane(): bigint
  /** Reports that the range has no chunk left for this worker at this version. */
  markDrained(version: number): void
  readonly drainedAt: number
  /** True if this is the worker's place in its chunk; false once the engine has reclaimed the chunk. */
  holds(progress: Progress): boolean
  /** Moves to a later offset of the chunk. @returns false if the engine has reclaimed the chunk meanwhile */
  advance(from: Progress, offset: number): boolean
  /** True if the ring has room for a candidate. */
  readonly hasRoom: boolean
  /** Sleeps until the ring may have room, at most a millisecond, so that new work is noticed. */
  awaitRoom(): void
  /** Writes a candidate into the ring, which has room. The engine sees it after `publish`. */
  write(sequence: number, nonce: Uint8Array): void
  /** Shows the candidate written last. @returns true if the engine must be notified, having seen all earlier ones */
  publish(): boolean
}
