import type { OperatorError } from "../../src/errors.ts"
import { HEADER_BYTES, NONCE_BYTES, nonceHash } from "../../src/pow/nonce-hash.ts"
import type { DisconnectReason, Job, Seal, SourceEvents } from "../../src/sources/source.ts"

export type RecordedEvent =
  | { readonly kind: "connected"; readonly source: string }
  | {
      readonly kind: "disconnected"
      readonly reason: DisconnectReason
      readonly message: string
      readonly retryIn: number
    }
  | { readonly kind: "job"; readonly job: Job }
  | { readonly kind: "noJob" }
  | { readonly kind: "unusable"; readonly message: string }
  | { readonly kind: "failed"; readonly error: OperatorError }

/** Keeps a source's events and lets a test wait for the next of a kind. */
export class Recorder implements SourceEvents {
  readonly events: RecordedEvent[] = []
  #read = 0
  #wake = () => {}

  connected(source: string): void {
    this.#add({ kind: "connected", source })
  }

  disconnected(reason: DisconnectReason, message: string, retryIn: number): void {
    this.#add({ kind: "disconnected", reason, message, retryIn })
  }

  job(job: Job): void {
    this.#add({ kind: "job", job })
  }

  noJob(): void {
    this.#add({ kind: "noJob" })
  }

  unusable(message: string): void {
    this.#add({ kind: "unusable", message })
  }

  failed(error: OperatorError): void {
    this.#add({ kind: "failed", error })
  }

  /** The next event of this kind after those that earlier calls returned or passed over. */
  async next<K extends RecordedEvent["kind"]>(kind: K): Promise<Extract<RecordedEvent, { kind: K }>> {
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++]!
        if (event.kind === kind) return event as Extract<RecordedEvent, { kind: K }>
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async nextJob(): Promise<Job> {
    return (await this.next("job")).job
  }

  count(kind: RecordedEvent["kind"]): number {
    return this.events.filter(event => event.kind === kind).length
  }

  #add(event: RecordedEvent): void {
    this.events.push(event)
    this.#wake()
  }
}

/** 32 bytes that no other `salt` gives. */
export function headerOf(salt: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES).fill(7)
  new DataView(header.buffer).setUint32(0, salt)
  return header
}

/** A seal as the mining loop would make it; its nonce ends with `salt`. Right for a job of difficulty 1. */
export function sealOf(job: Job, salt = 1): Seal {
  const nonce = new Uint8Array(NONCE_BYTES)
  nonce.set(job.prefix)
  new DataView(nonce.buffer).setUint32(NONCE_BYTES - 4, salt)
  return { job, nonce, hash: nonceHash(job.header, nonce), hashes: 10n, seconds: 0.5, unit: "test/0" }
}
