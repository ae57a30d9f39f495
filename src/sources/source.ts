/**
 * Where jobs come from, whatever the wire: a node or pool over QUIC, a Stratum pool, the HTTP job API. A source owns
 * its connection: it reconnects by itself, and it alone knows which job is current on its wire.
 */
import type { OperatorError } from "../errors.ts"

/** An inclusive range of nonces, each a U512 (0 … 2^512 − 1). */
export interface NonceRange {
  readonly first: bigint
  readonly last: bigint
}

export interface Job {
  /** The source's own identifier, sent back with every seal. */
  readonly id: string
  /** The `name` of the source it came from: of several behind one failover, that one's. */
  readonly source: string
  /** The mining hash, 32 bytes. */
  readonly header: Uint8Array
  /** 1 … 2^512 − 1; a pool's is its share's. */
  readonly difficulty: bigint
  /** First bytes of every nonce searched, given by the source: Stratum's extranonce; empty elsewhere. At most 16 bytes. */
  readonly prefix: Uint8Array
  /** Search exactly these nonces, in order, and nothing else (the HTTP job API). Excludes `prefix`. */
  readonly range?: NonceRange
  /** Whether the search ends with the first seal (a node sends the next job) or goes on (a pool's shares). */
  readonly afterSeal: "wait" | "continue"
  /** Clock milliseconds at arrival. */
  readonly receivedAt: number
}

/** A nonce that `pow` has confirmed for its job. */
export interface Seal {
  readonly job: Job
  /** 64 bytes, big-endian U512. */
  readonly nonce: Uint8Array
  /** 64 bytes, big-endian U512, below the job's target. */
  readonly hash: Uint8Array
  /** Nonces tried for this job since its arrival or its last seal, by all units. */
  readonly hashes: bigint
  /** Seconds since the job's arrival, or its last seal. */
  readonly seconds: number
  /** Which unit found it, for people: `avx2/3`, `cuda/0`. */
  readonly unit: string
}

/**
 * What became of a submitted seal. `sent`: written to a wire that never answers (a node's); `stale`: its job was
 * replaced before it could be sent, so it was not; `lost`: sent, but the connection ended without an answer.
 */
export type Verdict =
  | { readonly result: "sent" | "accepted" | "stale" | "lost" }
  | { readonly result: "rejected"; readonly reason: string }

/** Why a connection ended; bounded, for a metric's label. */
export type DisconnectReason = "closed" | "timeout" | "refused" | "unreachable" | "protocol" | "handshake" | "rejected"

/** `source` is the `name` of the source an event is about: of several behind one failover, that one's. */
export interface SourceEvents {
  /** Authenticated as far as the wire tells; jobs may follow. */
  connected(source: string): void
  /**
   * The connection ended or an attempt failed; the source tries again in `retryIn` milliseconds. Infinity: a failover
   * has no need of it for now.
   */
  disconnected(reason: DisconnectReason, message: string, retryIn: number, source: string): void
  /** A job that replaces the one before it at once. */
  job(job: Job): void
  /** The current job is void and there is no other (an API job was cancelled, a pool cleared its jobs). */
  noJob(): void
  /** The source has given up for good. */
  failed(error: OperatorError): void
}

export interface JobSource {
  /** Its URL without credentials, fit for logs and labels: `quic://127.0.0.1:9833`. */
  readonly name: string
  /** Begins to connect; called once. Events come until `close`. */
  start(events: SourceEvents): void
  /**
   * Sends a seal of this source's current job. While the connection is down the seal is held, and sent after
   * reconnecting if its job is still the wire's current one; a seal of a replaced job is never sent.
   * Never rejects: what happened is the verdict.
   */
  submit(seal: Seal): Promise<Verdict>
  /** Says that the search of `job` ended without a seal: its range is exhausted. */
  exhausted?(job: Job, hashes: bigint, seconds: number): void
  /** Says goodbye on the wire and frees everything; settles within a second. No event follows. */
  close(): Promise<void>
}
