/**
 * Accounting for tested nonces: which count, and which candidates are reported.
 *
 * **What counts.** Hash counts are compared with luck: seals × difficulty ÷ hashes is 1 on average. So what is counted
 * must not depend on what is found. Order all rows of all workers by their admission, the moment at which their worker
 * exchanges the winner word. Their hashes are independent trials, and the search ends with the first hit. That is a
 * stopping time: it depends on the trials up to it and on nothing after it. By Wald's identity the expected number of
 * hits equals the expected number of trials / difficulty, if trials are counted up to and including the hit. Therefore:
 *
 * - The worker whose row ends the search counts up to its hit, not the rest of the row.
 * - A row that is admitted later counts nothing, with or without a hit.
 * - A row during which the work was replaced counts nothing and reports nothing.
 *
 * The order must not depend on a row's contents either. If a row with a hit were admitted a little later than one without,
 * it would lose against other workers' ends more often, and there would be more hashes than the hits are worth. So the
 * same exchange admits a row with a hit and a row without, before the hit is handled. Anything a worker waits for, it
 * waits for in both cases: the ring has room before a row is looked at, and again before the nonces after a hit are
 * looked at if the search continues. Nonces skipped because the work ended during that wait are skipped unseen.
 *
 * The plain total of tested nonces, from which rates are computed, includes everything.
 */
import type { SharedWork, WorkerMemory, WorkerSlot } from "./views.ts"

/** Nonces that one call or launch has tested. */
export interface Tested {
  readonly count: number
  /** Offsets of the hits, ascending. */
  readonly hits: Uint32Array
  nonce(offset: number): Uint8Array
  /** False if another worker has taken these nonces over, as happens to a worker that hangs and continues later. */
  isMine(): boolean
  /** Marks the nonces below `offset` as finished. @returns false if another worker has taken them over */
  done(offset: number): boolean
}

export interface CommitOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
  /** Makes the engine look at the slot. */
  readonly notify: () => void
}

export class Commits {
  readonly #memory: WorkerMemory
  readonly #slot: WorkerSlot
  readonly #notify: () => void

  constructor({ memory, slot, notify }: CommitOptions) {
    this.#memory = memory
    this.#slot = slot
    this.#notify = notify
  }

  /** True while more of the work of this version should be tested. */
  continues(version: number): boolean {
    return this.#memory.version === version && this.#memory.isOpen(version) && !this.#slot.leaving
  }

  /** Accounts for tested nonces and reports their hits. */
  commit(version: number, work: SharedWork, tested: Tested): void {
    this.#slot.beat()
    this.#slot.addHashes(tested.count)
    if (!this.#makeRoom(version) || !tested.isMine()) return
    const ends = work.stopAtCandidate && tested.hits.length > 0
    if (!this.#memory.admit(version, ends)) return
    if (ends) this.#report(work, tested, tested.hits[0]!, 0)
    else this.#commitAll(version, work, tested)
  }

  #commitAll(version: number, work: SharedWork, tested: Tested): void {
    let counted = 0
    for (const hit of tested.hits) {
      if (!this.#report(work, tested, hit, counted) || !this.#makeRoom(version)) return
      counted = hit + 1
    }
    if (tested.done(tested.count)) this.#slot.count(work, tested.count - counted)
  }

  /**
   * Counts up to a hit and shows it before its nonce is marked as done, so that a worker that dies in between loses
   * nothing.
   * @param counted nonces of the row that were counted before
   * @returns false if another worker has taken the nonces over
   */
  #report(work: SharedWork, tested: Tested, hit: number, counted: number): boolean {
    this.#slot.write(work.sequence, tested.nonce(hit))
    this.#slot.count(work, hit + 1 - counted)
    if (this.#slot.publish()) this.#notify()
    return tested.done(hit + 1)
  }

  /** Waits until the ring has room. @returns false if the work ended first */
  #makeRoom(version: number): boolean {
    while (!this.#slot.hasRoom) {
      this.#slot.beat()
      this.#slot.awaitRoom()
      if (!this.continues(version)) return false
    }
    return true
  }
}
