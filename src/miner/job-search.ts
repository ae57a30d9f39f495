/** The job that engines search, and the state of its search. */
import { topOf } from "../pow/target.ts"
import { bytesToInteger } from "../pow/u512.ts"
import { isSameJob, type Job, type JobOutcome } from "../sources/source.ts"
import { Account } from "./account.ts"

/** Sealed nonces that are remembered per job; the oldest are forgotten first. */
const MAX_SEALED = 4096

export class JobSearch {
  /** As it came last: a source may send the same job again. */
  job: Job
  /** Clock milliseconds of the job's first arrival. */
  readonly beganAt: number
  /** Sequence of the work that engines search for it; undefined while they rest. */
  sequence: number | undefined
  /** Whether its search continues when a pause ends. */
  resumes = true
  /** How the job would end if it ended now. */
  outcome: JobOutcome = "cancelled"
  /** Whether later slices of the same job follow, after this slice was exhausted. */
  toBeContinued = false
  readonly account: Account
  seals = 0
  readonly #sealed = new Set<string>()

  constructor(job: Job) {
    this.job = job
    this.account = new Account(job.receivedAt)
    this.beganAt = job.receivedAt
  }

  /** Whether engines search it, or would if they were not paused. */
  get isOpen(): boolean {
    return this.sequence !== undefined || this.resumes
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

  /** Remembers a sealed nonce. @returns false if it was sealed before */
  addSeal(nonce: Uint8Array): boolean {
    const key = nonce.toHex()
    if (this.#sealed.has(key)) return false
    this.#sealed.add(key)
    if (this.#sealed.size > MAX_SEALED) this.#sealed.delete(this.#sealed.values().next().value!)
    this.seals += 1
    return true
  }
}

/** Whether the job asks for this nonce. @param nonce 64 bytes, big-endian */
export function isNonceOf({ prefix, range }: Job, nonce: Uint8Array): boolean {
  if (!equal(nonce.subarray(0, prefix.length), prefix)) return false
  if (!range) return true
  const value = bytesToInteger(nonce)
  return range.first <= value && value <= range.last
}

/**
 * Whether a hash that is no seal differs from the target only in bits that no kernel compares: reporting it was right.
 * @param hash 64 bytes, big-endian, not below the target
 */
export const isNearMiss = (hash: Uint8Array, target: bigint): boolean => topOf(bytesToInteger(hash)) === topOf(target)

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
