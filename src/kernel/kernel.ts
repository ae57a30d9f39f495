/**
 * A kernel as a worker drives it: the search program of `search.ts` rendered for one target and bound to one thread.
 * It reports candidates; whether a candidate is a seal is for `pow` to say.
 */

/** The most nonces of a range that are tested at once, and those of a row where nothing speaks for more. */
export const ROW = 256

export interface Kernel {
  /** `wasm`, `wasm-narrow`, `avx2`, `avx512`, … */
  readonly name: string

  /** Nonces in a row, the unit of search: one t0, every t1 (see `nonce-plane.ts`); `ROW` or a few more. */
  readonly row: number

  /** The permutation, in place. @param state 12 elements; canonical (`< p`) on return */
  permute(state: BigUint64Array): void

  /**
   * Sets what counts as a candidate: the hash's first 64 bits, big-endian, at or below `top`.
   * @param top the target's top 64 bits, 0 … 2^64 − 1
   */
  setTarget(top: bigint): void

  /**
   * Makes ready to search the plane of nonces around a base.
   * @param state 12 elements: the sponge after the header and the nonce's first half, the second half's base limbs added
   */
  preparePlane(state: BigUint64Array): void

  /**
   * Tests the `row` nonces of row `t0` of the prepared plane.
   * @returns the number of candidates, whose t1 stand in `hits`, ascending
   */
  searchRow(t0: number): number

  /**
   * Makes ready to search consecutive nonces that differ in their last four bytes only.
   * @param state as for `preparePlane`, the second half's last limb (nonce bytes 60 … 63) taken as 0
   */
  prepareRange(state: BigUint64Array): void

  /**
   * Tests the `count` (1 … ROW) nonces whose last four bytes are, big-endian, `first` … `first + count − 1`
   * (below 2^32).
   * @returns the number of candidates, whose offsets from `first` stand in `hits`, ascending
   */
  searchRange(first: number, count: number): number

  /** `row` entries; those of the last search come first. */
  readonly hits: Uint32Array

  /** Frees what the kernel holds outside the JavaScript heap. */
  close(): void
}

/** Why a kernel cannot run here, e.g. "this CPU has no AVX2"; the next candidate is tried. */
export class UnsupportedKernel extends Error {
  override readonly name = "UnsupportedKernel"
}
