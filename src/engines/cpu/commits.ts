/**
 * The accounting for what a worker has tested: what counts, and what is reported.
 *
 * **What counts.** Hash counts are compared with luck (seals × difficulty ÷ hashes is 1 on average), so what is counted
 * must not depend on what is found. Think of all rows of all workers in the order in which they are admitted, that is,
 * in which their worker exchanges the winner word after the row. The hashes in them are independent trials, and the
 * search ends with the first that hits: a stopping time, decided by the trials up to it and by nothing behind it. By
 * Wald's identity the expected number of hits is then the expected number of trials / difficulty, if the trials are
 * counted up to and including the one that hit. So the worker whose row ends the search counts up to its hit and not the
 * rest of its row, and a row that comes after it counts nothing, hit or not. A row during which the work was replaced,
 * again whatever is in it, counts nothing and reports nothing.
 *
 * The order must not depend on what is in a row either: a row that is admitted a little later when it has a hit loses
 * against others' ends more often than one without, and then there are more hashes than the hits are worth. So one and
 * the same exchange admits a row with a hit and a row without, before anything is done about the hit, and whatever a
 * worker may have to wait for, it waits for in either case: room for a hit is there before a row is looked at, and again
 * before what follows a hit is looked at, where the search goes on. What the wait for room leaves out, because the work
 * was over meanwhile, is left out unseen. The plain total of nonces tested, which rates are made of, includes everything.
 */
import type { SharedMemory, SharedWork, Slot } from "./shared-memory.ts"

/** Rows tested: how many nonces, the offsets of the hits among them, and the nonce at an offset. */
export interface Row {
  readonly tested: number
  readonly hits: Uint32Array
  nonce(offset: number): Uint8Array
  /** Whether they are this worker's still: one that hangs may find, when it goes on, that another did its work. */
  isMine(): boolean
  /** The nonces up to this offset are done with, for good. False when they were not this worker's any more. */
  done(offset: number): boolean
}

export interface CommitOptions {
  readonly memory: SharedMemory
  readonly slot: Slot
  /** Tells the engine to look at the slot. */
  readonly ring: () => void
}

export class Commits {
  readonly #memory: SharedMemory
  readonly #slot: Slot
  readonly #ring: () => void

  constructor({ memory, slot, ring }: CommitOptions) {
    this.#memory = memory
    this.#slot = slot
    this.#ring = ring
  }

  /** Whether there is reason to test more of the work of this version. */
  goesOn(version: number): boolean {
    return this.#memory.version === version && this.#memory.isOpen(version) && !this.#slot.leaving
  }

  /** Accounts for a row that was tested, and reports what it found. */
  commit(version: number, work: SharedWork, row: Row): void {
    this.#slot.beat()
    this.#slot.addHashes(row.tested)
    if (!this.#makeRoom(version) || !row.isMine()) return
    const ends = work.stopAtCandidate && row.hits.length > 0
    if (!this.#memory.admit(version, ends)) return
    if (ends) this.#report(work, row, row.hits[0]!, 0)
    else this.#commitAll(version, work, row)
  }

  #commitAll(version: number, work: SharedWork, row: Row): void {
    let counted = 0
    for (const hit of row.hits) {
      if (!this.#report(work, row, hit, counted) || !this.#makeRoom(version)) return
      counted = hit + 1
    }
    if (row.done(row.tested)) this.#slot.count(work, row.tested - counted)
  }

  /**
   * Counts up to a hit and shows it, before its nonce is marked as done: a worker that dies in between loses nothing.
   * @param counted nonces of the row that were counted before
   * @returns false when the row was not this worker's any more
   */
  #report(work: SharedWork, row: Row, hit: number, counted: number): boolean {
    this.#slot.write(work.sequence, row.nonce(hit))
    this.#slot.count(work, hit + 1 - counted)
    if (this.#slot.publish()) this.#ring()
    return row.done(hit + 1)
  }

  /** Waits until the ring has room; false when the work is over before that. */
  #makeRoom(version: number): boolean {
    while (!this.#slot.hasRoom) {
      this.#slot.beat()
      this.#slot.awaitRoom()
      if (!this.goesOn(version)) return false
    }
    return true
  }
}
