/**
 * The interface of job sources: a node or pool over QUIC, a Stratum pool, the HTTP job API. A source
 * owns its connection: it reconnects automatically, and only it knows which job is current on its wire.
 */
import type { OperatorError } from "../errors.ts"
import { targetOf } from "../pow/target.ts"

/** An inclusive range of nonces, each a U512 (0 … 2^512 − 1). */
export interface NonceRange {
  readonly first: bigint
  readonly last: bigint
}

export interface Job {
  /** The source's own identifier, sent back with every seal. */
  readonly id: string
  /** The `name` of the source that sent it; never a failover's. */
  readonly source: string
  /** The mining hash, 32 bytes. */
  readonly header: Uint8Array
  /** 1 … 2^512 − 1. A pool's is the difficulty of a share. */
  readonly difficulty: bigint
  /** The number that a hash must be below, 1 … 2^512 − 1, if the source sent it; if absent, the difficulty decides. */
  readonly target?: bigint
  /** The first bytes of every nonce: Stratum's extranonce, empty for other sources. At most 16 bytes. */
  readonly prefix: Uint8Array
  /** Search exactly these nonces, in order, and nothing else (the HTTP job API). Excludes `prefix`. */
  readonly range?: NonceRange
  /** Present if `range` is a slice of the job's range; the slices of a job share its id. */
  readonly slice?: { readonly isLast: boolean }
  /** Whether the search stops at the first seal (a node sends the next job) or continues (a pool's shares). */
  readonly afterSeal: "wait" | "continue"
  /** Clock milliseconds at arrival. */
  readonly receivedAt: number
}

/** Whether two jobs seal the same thing: a nonce of one is a nonce of the other. Their difficulties may differ. */
export function isSameJob(a: Job, b: Job): boolean {
  return a.source === b.source && a.id === b.id && equal(a.header, b.header) && equal(a.prefix, b.prefix)
}

/** The number that a hash must be below to seal this job. */
export const targetOfJob = ({ target, difficulty }: Job): bigint => target ?? targetOf(difficulty)

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** How the search of a job ended: with a seal, with an exhausted range, or replaced before either. */
export type JobOutcome = "completed" | "failed" | "cancelled"

/** A nonce that `pow` has confirmed for its job. */
export interface Seal {
  readonly job: Job
  /** 64 bytes, big-endian U512. */
  readonly nonce: Uint8Array
  /** 64 bytes, big-endian U512, below the job's target. */
  readonly hash: Uint8Array
  /** Nonces that all units tested for this job since its arrival or its last seal. */
  readonly hashes: bigint
  /** Seconds since the job's arrival or its last seal. */
  readonly seconds: number
  /** The unit that found it: `avx2/3`, `cuda/0`. */
  readonly unit: string
}

/**
 * The result of a submitted seal. `sent`: written to a node, which never answers. `stale`: never sent,
 * because its job was replaced, its difficulty was raised, or the queue was full. `lost`: sent, but never answered.
 */
export type Verdict =
  | { readonly result: "sent" | "accepted" | "stale" | "lost" }
  | { readonly result: "rejected"; readonly reason: string }

/** Why a connection ended; bounded, for a metric's label. */
export type DisconnectReason = "closed" | "timeout" | "refused" | "unreachable" | "protocol" | "handshake" | "rejected"

/** `source` is the `name` of the source that an event is about; never a failover's. */
export interface SourceEvents {
  /** Connected, and authenticated as far as the protocol shows; jobs may follow. */
  connected(source: string): void
  /**
   * The connection ended or an attempt failed; the source tries again in `retryIn` milliseconds. Infinity: a failover
   * does not need it at present.
   */
  disconnected(reason: DisconnectReason, message: string, retryIn: number, source: string): void
  /**
   * The source counts as down although it can be reached: its shares are refused, or it falls silent again and again.
   * It tries again automatically. Follows `disconnected`; only a failover needs it.
   */
  unusable?(message: string, source: string): void
  /** A job that replaces the previous one immediately. */
  job(job: Job): void
  /** The current job is void and no other replaces it: an API job was cancelled, a pool cleared its jobs. */
  noJob(): void
  /** The source has given up permanently. */
  failed(error: OperatorError): void
}

export interface JobSource {
  /** Its URL without credentials, fit for logs and labels: `quic://127.0.0.1:9833`. */
  readonly name: string
  /** Starts to connect. Called once; events come until `close`. */
  start(events: SourceEvents): void
  /**
   * Sends a seal of this source's current job. While the connection is down the seal is held; it is sent after the
   * reconnect if its job is still current. A seal of a replaced job is never sent. Never rejects.
   */
  submit(seal: Seal): Promise<Verdict>
  /** Reports that the range of `job` is exhausted without a seal. */
  exhausted?(job: Job, hashes: bigint, seconds: number): void
  /** Closes the connection and frees everything. Settles within a second; no event follows. */
  close(): Promise<void>
}
