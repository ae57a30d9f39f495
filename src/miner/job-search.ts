/** The current job and the state of its search. */
import { topOf } from "../pow/target.ts"
import { bytesToInteger } from "../pow/u512.ts"
import { isSameJob, type Job, type JobOutcome } from "../sources/source.ts"
import { Account } from "./account.ts"

/** Maximum number of sealed nonces kept per job; the oldest are dropped first. */
const MAX_SEALED = 4096

export class JobSearch {
  /** The latest copy: a source may send the same job again. */
  job: Job
  /** Clock milliseconds of the job's first arrival. */
  readonly beganAt: number
  /** Sequence of the current work; undefined while the engines are idle. */
  sequence: number | undefined
  /** Whether its search continues when a pause ends. */
  resumes = true
  /** The outcome if the job ended now. */
  outcome: JobOutcome = "cancelled"
  /** Whether this slice was exhausted and later slices of the same job follow. */
  toBeContinued = false
  readonly account: Account
  seals = 0
  readonly #sealed = new Set<string>()

  constructor(job: Job) {
    this.job = job
    this.account = new Account(job.receivedAt)
    this.beganAt = job.receivedAt
  }

  /** Whether engines search it, or would search it if mining were not paused. */
  get isOpen(): boolean {
    return this.sequence !== undefined || this.resumes
  }

  /** Whether `job` is this job, sent again unchanged; its search then continues. */
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

  /** Records a sealed nonce. @returns false if it was sealed before */
  addSeal(nonce: Uint8Array): boolean {
    const key = nonce.toHex()
    if (this.#sealed.has(key)) return false
    this.#sealed.add(key)
    if (this.#sealed.size > MAX_SEALED) this.#sealed.delete(this.#sealed.values().next().value!)
    this.seals += 1
    return true
  }
}

/** Whether the job's prefix and range allow this nonce. @param nonce 64 bytes, big-endian */
export function isNonceOf({ prefix, range }: Job, nonce: Uint8Array): boolean {
  if (!equal(nonce.subarray(0, prefix.length), prefix)) return false
  if (!range) return true
  const value = bytesToInteger(nonce)
  return range.first <= value && value <= range.last
}

/**
 * Whether a hash that is not below the target equals it in the bits that kernels compare: the report was correct.
 * @param hash 64 bytes, big-endian, not below the target
 */
export const isNearMiss = (hash: Uint8Array, target: bigint): boolean => topOf(bytesToInteger(hash)) === topOf(target)

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
