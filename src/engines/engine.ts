/**
 * What the mining loop knows of anything that hashes: a set of units (worker threads, GPU devices) that search for
 * one piece of work at a time. Engines know no protocol; what they report is a candidate until `pow` has confirmed it.
 */
import type { NonceRange } from "../sources/source.ts"

/** One thing to search, told apart from every other by its sequence number. */
export interface Work {
  /** Grows by one with every assignment in this process, across engines. */
  readonly sequence: number
  /** 32 bytes. */
  readonly header: Uint8Array
  /** U512; a hash strictly below it is a seal. */
  readonly target: bigint
  /** 1 … 2^512 − 1: what one hash counts towards `expectedSeals` is its reciprocal. */
  readonly difficulty: bigint
  /** First bytes of every nonce, 0 … 16 of them. */
  readonly prefix: Uint8Array
  /** Search these nonces only, each exactly once. */
  readonly range?: NonceRange
  /**
   * Whether a unit that finds a candidate ends the search of all the engine's units until `resume` or the next
   * `assign`. Nonces tested after the one that ended it are not counted, so hash counts agree with luck.
   */
  readonly stopAtCandidate: boolean
}

export interface Candidate {
  readonly sequence: number
  /** 64 bytes, big-endian. */
  readonly nonce: Uint8Array
  /** The unit's `id`. */
  readonly unit: string
}

/** Live figures of one unit; counters never go back, also when the unit was restarted. */
export interface Unit {
  /** `avx2/0`, `wasm/1`, `cuda/0`. */
  readonly id: string
  readonly kind: "cpu" | "gpu"
  /** Nonces tested since the start. */
  readonly hashes: bigint
  /** Σ 1 / difficulty over the nonces whose hits were reported: the seals expected of perfect average luck. */
  readonly expectedSeals: number
  readonly restarts: number
  /** The sequence of the work it searches now, 0 when idle. */
  readonly sequence: number
}

export interface EngineEvents {
  candidate(candidate: Candidate): void
  /** Every unit has searched its part of a `range` without ending at a candidate. */
  exhausted(sequence: number): void
  /** A unit has taken up `sequence`; `seconds` since it was assigned. At most once per unit and work. */
  switched(unit: string, sequence: number, seconds: number): void
  /** A unit died or hung and was replaced. */
  restarted(unit: string, why: string): void
  /** The engine can no longer hash at all. */
  failed(why: string): void
}

export interface Engine {
  /** `wasm`, `avx2`, `avx512`, `cuda`, `opencl`. */
  readonly name: string
  readonly units: readonly Unit[]
  start(events: EngineEvents): Promise<void>
  /** Replaces what is searched, at once; null: idle. */
  assign(work: Work | null): void
  /** The candidate that ended the search of `sequence` was none: search on. */
  resume(sequence: number): void
  /** Nonces tested for `sequence` by all units, exact between batches; 0 for a work that is not the current one. */
  hashesOf(sequence: number): bigint
  /** Changes the number of units (CPU engines only); the work goes on. */
  resize?(units: number): Promise<void>
  /** Stops every unit; settles when their threads are gone. */
  close(): Promise<void>
}
