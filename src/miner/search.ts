/** The job that is being searched, and what has come of it. */
import { topOf } from "../pow/target.ts"
import { bytesToInteger } from "../pow/u512.ts"
import { isSameJob, type Job } from "../sources/source.ts"

/** How the search of a job has ended so far; `cancelled` as long as nothing has come of it. */
export type Outcome = "cancelled" | "completed" | "failed"

export class Search {
  /** As it came last: a source may send the same job again. */
  job: Job
  /** The sequence of the work that engines search for it; 0 while they do not. */
  sequence = 0
  outcome: Outcome = "cancelled"
  /** Clock milliseconds of the job's first arrival. */
  readonly beganAt: number
  /** Since when, and from which count of the current work on (below 0: with what others counted), hashes are the next seal's. */
  since: number
  counted = 0n
  /** Over all works and seals of the job. */
  hashes = 0n
  seals = 0
  readonly #sealed = new Set<string>()

  constructor(job: Job) {
    this.job = job
    this.beganAt = job.receivedAt
    this.since = job.receivedAt
  }

  /** Whether `job` is this job sent again unchanged: its search continues where it is. */
  isOf(job: Job): boolean {
    const before = this.job
    return (
      isSameJob(before, job) &&
      before.difficulty === job.difficulty &&
      before.target === job.target &&
      before.afterSeal === job.afterSeal &&
      before.range?.first === job.range?.first &&
      before.range?.last === job.range?.last
    )
  }

  /**
   * Closes the account of hashes since the last seal.
   * @param total counted for the current work
   * @param least what it is at least: two hits of one row are counted together, and the second took a nonce as well;
   *   what is given here is missing in the next account
   */
  settle(total: bigint, now: number, least = 0n): { readonly hashes: bigint; readonly seconds: number } {
    const counted = total - this.counted
    const hashes = counted > least ? counted : least
    const seconds = (now - this.since) / 1000
    this.counted += hashes
    this.since = now
    this.hashes += hashes
    return { hashes, seconds }
  }

  /** Remembers a sealed nonce. False where it was sealed before. */
  addSeal(nonce: Uint8Array): boolean {
    const key = nonce.toHex()
    if (this.#sealed.has(key)) return false
    this.#sealed.add(key)
    if (this.#sealed.size > MOST_SEALED) this.#sealed.delete(this.#sealed.values().next().value!)
    this.seals += 1
    return true
  }
}

/** Sealed nonces that are remembered of one job; the oldest are forgotten first. */
const MOST_SEALED = 4096

/** Whether the job asks for this nonce at all. @param nonce 64 bytes */
export function isNonceOf({ prefix, range }: Job, nonce: Uint8Array): boolean {
  if (!equal(nonce.subarray(0, prefix.length), prefix)) return false
  if (!range) return true
  const value = bytesToInteger(nonce)
  return range.first <= value && value <= range.last
}

/**
 * Whether a hash that is no seal differs from the target in bits only that no kernel compares: to report it was right.
 * @param hash 64 bytes, not below the target
 */
export const isNearMiss = (hash: Uint8Array, target: bigint): boolean => topOf(bytesToInteger(hash)) === topOf(target)

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
