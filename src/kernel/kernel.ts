/**
 * The interface by which a worker drives a kernel: the search program of `search.ts`, rendered for one `RenderTarget`
 * and bound to one thread. A kernel reports candidates; `verifySeal` decides which of them are seals.
 */

/** Maximum nonces per call of `searchRange`, and the default number of nonces in a row. */
export const ROW = 256

export interface Kernel {
  /** `wasm`, `wasm-narrow`, `avx2`, `avx512`, … */
  readonly name: string

  /** Nonces in a row (one t0, all t1; see `nonce-plane.ts`): `ROW`, or slightly more to fill the last batch. */
  readonly row: number

  /** Permutes a state in place. @param state 12 elements, 0 … 2^64 − 1; canonical (`< p`) on return */
  permute(state: BigUint64Array): void

  /**
   * Sets the bound for candidates: a nonce is one if the first 8 bytes of its hash, big-endian, do not exceed `top`.
   * @param top the target's top 64 bits, 0 … 2^64 − 1
   */
  setTarget(top: bigint): void

  /**
   * Prepares a search of the plane around a base nonce.
   * @param state 12 elements, 0 … 2^64 − 1: the midstate of the base nonce, from `spongeBeforeLast`
   */
  preparePlane(state: BigUint64Array): void

  /**
   * Tests the `row` nonces of row `t0` of the prepared plane.
   * @param t0 0 … PLANE_ROWS − 1
   * @returns the number n of candidates; entries 0 … n − 1 of `hits` are their t1, ascending
   */
  searchRow(t0: number): number

  /**
   * Prepares a search of consecutive nonces that differ only in their last four bytes.
   * @param state as for `preparePlane`, of the nonce whose bytes 60 … 63 are 0
   */
  prepareRange(state: BigUint64Array): void

  /**
   * Tests the nonces of the prepared range whose last four bytes, big-endian, are `first` … `first + count − 1`.
   * @param count 1 … ROW; `first + count` ≤ 2^32
   * @returns the number n of candidates; entries 0 … n − 1 of `hits` are their offsets from `first`, ascending
   */
  searchRange(first: number, count: number): number

  /** The results of the last search, `row` entries. */
  readonly hits: Uint32Array

  /** Frees the kernel's resources outside the JavaScript heap. The kernel must not be used afterwards. */
  close(): void
}

/** A kernel cannot run on this host, e.g. "this CPU has no AVX2". The caller tries another kernel. */
export class UnsupportedKernel extends Error {
  override readonly name = "UnsupportedKernel"
}
