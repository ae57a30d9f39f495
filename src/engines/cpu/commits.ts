/**
 * The accounting for what a worker has tested: what counts, and what is reported.
 *
 * **What counts.** Hash counts are compared with luck (seals × difficulty ÷ hashes is 1 on average), so what is counted
 * must not depend on what is found. Think of all rows of all workers in the order in which they are committed, that is,
 * in which their worker looks at the winner word after the row. The hashes in them are independent trials, and the search
 * ends with the first that hits: a stopping time, decided by the trials up to it and by nothing behind it. By Wald's
 * identity the expected number of hits is then the expected number of trials / difficulty, if the trials are counted up
 * to and including the one that hit. So the worker whose claim succeeds counts up to its hit and not the rest of its row,
 * and a row committed after the claim counts nothing, hit or not. A row during which the work was replaced, again
 * whatever is in it, counts nothing and reports nothing. Where the search goes on after hits, each is reported, and when
 * the engine is slow to take them, what is counted stops after the last one reported. The plain total of nonces tested,
 * which rates are made of, includes everything.
 */
import type { SharedMemory, SharedWork, Slot } from "./shared-memory.ts"

/** Rows tested: how many nonces, the offsets of the hits among them, and the nonce at an offset. */
export interface Row {
  readonly tested: number
  readonly hits: Uint32Array
  nonce(offset: number): Uint8Array
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
    if (this.#memory.version !== version || !this.#memory.isOpen(version)) return
    if (work.stopAtCandidate) this.#commitStopping(version, work, row)
    else this.#commitAll(version, work, row)
  }

  #commitStopping(version: number, work: SharedWork, row: Row): void {
    const [first] = row.hits
    if (first === undefined) {
      if (row.done(row.tested)) this.#slot.count(work, row.tested)
      return
    }
    if (!this.#makeRoom(version)) return
    this.#slot.write(work.sequence, row.nonce(first))
    if (!this.#memory.claim(version)) return
    this.#slot.count(work, first + 1)
    this.#report()
    row.done(first + 1)
  }

  #commitAll(version: number, work: SharedWork, row: Row): void {
    let counted = 0
    for (const hit of row.hits) {
      if (!this.#makeRoom(version)) return
      this.#slot.write(work.sequence, row.nonce(hit))
      this.#slot.count(work, hit + 1 - counted)
      counted = hit + 1
      this.#report()
      if (!row.done(hit + 1)) return
    }
    if (row.done(row.tested)) this.#slot.count(work, row.tested - counted)
  }

  /** A candidate is shown before its nonce is marked as done: a worker that dies in between loses nothing. */
  #report(): void {
    if (this.#slot.publish()) this.#ring()
  }

  /** Waits until the ring has room; false when the work is over before that. */
  #makeRoom(version: number): boolean {
    while (!this.#slot.hasRoom) {
      if (!this.goesOn(version)) return false
      this.#slot.beat()
      this.#slot.awaitRoom()
    }
    return true
  }
}
