/**
 * Planes of nonces. The nonces of a plane share their first half; their second halves are base + t0 · U0 + t1 · U1,
 * limb by limb. `planeBase` chooses bases for which no limb overflows 32 bits. `search.ts` uses what the directions
 * achieve:
 *
 * M4 · (−4, 17, −11, 3) = 35 e0 and M4 · (3, −4, 17, −11) = 35 e1. A direction is added to limbs 0 … 3 and subtracted
 * from limbs 4 … 7. The two runs cancel in the column sums of `M_E`, so t0 changes only elements 0 and 4 after the
 * first external layer, and t1 only elements 1 and 5.
 */
import { P } from "../pow/field.ts"
import { emptyState, headerBlock, nonceHalf } from "../pow/nonce-hash.ts"

/** Change of the eight little-endian 32-bit limbs of the nonce's second half per step of t0 (U0) and of t1 (U1). */
const U0 = [-4, 17, -11, 3, 4, -17, 11, -3] as const
const U1 = [3, -4, 17, -11, -3, 4, -17, 11] as const

/** Rows of a plane. For a base from `planeBase` no limb overflows, as |17 t0 + 17 t1| < 2^31 − 2^21. */
export const PLANE_ROWS = 2 ** 26

/** Base limbs lie within 2^31 ± BAND. */
const BAND = 2 ** 20

/**
 * Returns the nonce at row `t0` and column `t1` of a plane.
 * @param base 64 bytes, from `planeBase`
 * @param t0 0 … PLANE_ROWS − 1
 * @param t1 0 … 2^16 − 1
 * @returns 64 bytes
 */
export function planeNonce(base: Uint8Array, t0: number, t1: number): Uint8Array {
  const nonce = base.slice()
  const view = new DataView(nonce.buffer)
  U0.forEach((u0, limb) => {
    const at = 32 + 4 * limb
    view.setUint32(at, view.getUint32(at, true) + t0 * u0 + t1 * U1[limb]!, true)
  })
  return nonce
}

/**
 * Maps a nonce to a base around which a whole plane fits: every limb x of the second half becomes
 * 2^31 − BAND + (x mod 2 · BAND). The first half stays.
 * @param nonce 64 bytes
 * @returns 64 bytes
 */
export function planeBase(nonce: Uint8Array): Uint8Array {
  const base = nonce.slice()
  const view = new DataView(base.buffer)
  for (let at = 32; at < 64; at += 4) view.setUint32(at, 2 ** 31 - BAND + (view.getUint32(at, true) % (2 * BAND)), true)
  return base
}

/** Permutes a state of 12 elements, 0 … 2^64 − 1, in place. */
export type PermuteInPlace = (state: BigUint64Array) => void

/**
 * Computes the midstate: the sponge after it absorbed the header and the nonce's first half, with the limbs of the
 * second half added but not yet permuted.
 * @param header 32 bytes
 * @param nonce 64 bytes
 * @returns 12 elements, 0 … 2^64 − 1, not necessarily canonical
 * @throws RangeError if the length of `header` or `nonce` is wrong
 */
export function spongeBeforeLast(header: Uint8Array, nonce: Uint8Array, permute: PermuteInPlace): BigUint64Array {
  const state = BigUint64Array.from(emptyState())
  addLimbs(state, headerBlock(header))
  permute(state)
  addLimbs(state, nonceHalf(nonce, 0))
  permute(state)
  addLimbs(state, nonceHalf(nonce, 1))
  return state
}

function addLimbs(state: BigUint64Array, limbs: readonly bigint[]): void {
  limbs.forEach((limb, i) => {
    state[i] = (state[i]! + limb) % P
  })
}
