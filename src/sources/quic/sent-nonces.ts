import type { Job } from "../source.ts"

/** Nonces remembered, over all jobs; the oldest are forgotten first. */
const MEMORY = 16_384

/** Remembers what was sent, so that nothing is sent twice. */
export class SentNonces {
  readonly #sent = new Set<string>()

  has(job: Job, nonce: Uint8Array): boolean {
    return this.#sent.has(entryOf(job, nonce))
  }

  add(job: Job, nonce: Uint8Array): void {
    this.#sent.add(entryOf(job, nonce))
    if (this.#sent.size > MEMORY) this.#sent.delete(this.#sent.values().next().value!)
  }
}

/** Whether two jobs are one and the same search: a difficulty may change, what is sealed may not. */
export const isSameJob = (a: Job, b: Job): boolean => keyOf(a) === keyOf(b)

const keyOf = (job: Job): string => `${job.header.toHex()} ${job.id}`

const entryOf = (job: Job, nonce: Uint8Array): string => `${nonce.toHex()} ${keyOf(job)}`
