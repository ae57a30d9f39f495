/**
 * The mining loop's view of everything that hashes: a set of units (CPU workers, GPUs) that search one work at a time.
 * Engines know no protocol. They report candidates, which `pow` confirms.
 */
import type { NonceRange } from "../sources/source.ts"

/** A job to search, identified by its sequence number. */
export interface Work {
  /** Increases by one with every assignment in this process, across engines. */
  readonly sequence: number
  /** 32 bytes. */
  readonly header: Uint8Array
  /** U512; the hash of a seal is strictly below it. */
  readonly target: bigint
  /** 1 … 2^512 − 1; each hash adds its reciprocal to `expectedSeals`. */
  readonly difficulty: bigint
  /** The first 0 … 16 bytes of every nonce. */
  readonly prefix: Uint8Array
  /** Search these nonces only, each exactly once. */
  readonly range?: NonceRange
  /**
   * True if a candidate ends the search of all units of the engine until `resume` or the next `assign`. Nonces tested
   * after that candidate are not counted, so that hash counts agree with luck.
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

/** Live figures of one worker or GPU. Counters never decrease, even if its thread is replaced. */
export interface Unit {
  /** `avx2/0`, `wasm/1`, `cuda/0`. */
  readonly id: string
  readonly kind: "cpu" | "gpu"
  /** Nonces tested since the start. */
  readonly hashes: bigint
  /** Σ 1 / difficulty over the nonces counted: the seals expected with average luck. */
  readonly expectedSeals: number
  /** Sequence of the work that it searches now; 0: idle. */
  readonly sequence: number
}

export interface EngineEvents {
  candidate(candidate: Candidate): void
  /** The whole `range` was searched and the search did not end at a candidate. */
  exhausted(sequence: number): void
  /** A unit took up `sequence`, `seconds` after its assignment. At most once per unit and work. */
  switched(unit: string, sequence: number, seconds: number): void
  /** A unit died or hung, and its thread was replaced. */
  restarted(unit: string, why: string): void
  /** The engine can no longer hash at all. */
  failed(why: string): void
}

export interface Engine {
  /** `wasm`, `avx2`, `avx512`, `cuda`, `opencl`; `arm64-mixed+arm64-neon` if its units run different kernels. */
  readonly name: string
  readonly units: readonly Unit[]
  /**
   * Rejects with RefusedKernel, which a restart does not change, or with another error: a thread could not be spawned, died
   * or took too long.
   */
  start(events: EngineEvents): Promise<void>
  /** Replaces the work at once; null: idle. */
  assign(work: Work | null): void
  /** Stops the search of `sequence` and keeps its progress until `resume`, or until the next `assign` replaces it. */
  hold(sequence: number): void
  /** Continues the search of `sequence` after `hold`, or after the candidate that ended it was not confirmed. */
  resume(sequence: number): void
  /** Nonces tested for `sequence` by all units, exact between batches; 0 for a work that is not the current one. */
  hashesOf(sequence: number): bigint
  /** Changes the number of units while the work continues; CPU engines only. */
  resize?(units: number): Promise<void>
  /** Stops all units; settles when their threads have ended. */
  close(): Promise<void>
}

/** A kernel that cannot run here or returned a wrong result; the engine's owner tries the next one. */
export class RefusedKernel extends Error {
  override readonly name = "RefusedKernel"
  /** True if this machine lacks something; false if the kernel computed wrongly. */
  readonly unsupported: boolean

  constructor(message: string, unsupported: boolean) {
    super(message)
    this.unsupported = unsupported
  }
}
