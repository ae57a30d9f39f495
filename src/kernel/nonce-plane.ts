/**
 * Planes of nonces: 64-byte nonces that share a first half, with second halves base + t0 · U0 + t1 · U1 taken limb by
 * limb, so that no limb leaves 32 bits. `search.ts` says why these directions.
 *
 * M4 · (−4, 17, −11, 3) = 35 e0 and M4 · (3, −4, 17, −11) = 35 e1. Limbs 0 … 3 move up by a direction, limbs 4 … 7 down
 * by the same one, so the two runs cancel in `M_E`'s column sums and only elements 0 and 4, or 1 and 5, move.
 */
import { P } from "../pow/field.ts"
import { emptyState, headerBlock, nonceHalf } from "../pow/nonce-hash.ts"

/** What t0 and t1 move the eight little-endian 32-bit limbs of the nonce's second half by. */
const U0 = [-4, 17, -11, 3, 4, -17, 11, -3] as const
const U1 = [3, -4, 17, -11, -3, 4, -17, 11] as const

/** Rows of a plane whose base has all limbs in the middle: |17 t0 + 17 t1| stays below 2^31 − 2^21. */
export const PLANE_ROWS = 2 ** 26

/** Half the width of the band around 2^31 that base limbs are drawn from. */
const BAND = 2 ** 20

/**
 * The nonce at row `t0` (0 … PLANE_ROWS − 1) and column `t1` (0 … 2^16 − 1).
 * @param base 64 bytes, of `planeBase`
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
 * Brings the second half of a nonce to where a whole plane fits around it: every limb within `BAND` of the middle.
 * @param nonce 64 bytes, whose second half's low bits are kept as the choice among bases
 */
export function planeBase(nonce: Uint8Array): Uint8Array {
  const base = nonce.slice()
  const view = new DataView(base.buffer)
  for (let at = 32; at < 64; at += 4) view.setUint32(at, 2 ** 31 - BAND + (view.getUint32(at, true) % (2 * BAND)), true)
  return base
}

/** Permutes a state of 12 elements in place. */
export type PermuteInPlace = (state: BigUint64Array) => void

/**
 * The sponge before its last absorbing permutation: header and first half absorbed, the second half's limbs added.
 * @param nonce 64 bytes
 * @returns 12 elements, not necessarily canonical but below 2^64
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
