/**
 * Where searches begin. No nonce repeats in a process, and in two processes only with a probability below 2^-64:
 *
 *     first half (32 bytes) = prefix (0 … 16) ‖ salt (24 − prefix) ‖ worker (2) ‖ plane (6)
 *
 * The source gives the prefix and the engine the salt. The worker's number is its slot's index, and the plane's number is
 * a counter that the slot never resets, so the same job may come again and a worker may be replaced.
 */
import { planeBase } from "../../kernel/nonce-plane.ts"

/** Bytes of salt that an engine draws at its start; a prefix replaces the first ones. */
export const SALT_BYTES = 24

const WORKER = 24
const PLANE = 26

/**
 * @param worker 0 … 65535
 * @param plane 0 … 2^48 − 1
 * @returns 64 bytes: the base of a plane that only the same arguments give
 */
export function baseNonce(prefix: Uint8Array, salt: Uint8Array, worker: number, plane: bigint): Uint8Array {
  const nonce = new Uint8Array(64)
  const view = new DataView(nonce.buffer)
  nonce.set(salt)
  nonce.set(prefix)
  view.setUint16(WORKER, worker)
  view.setUint16(PLANE, Number(plane >> 32n))
  view.setUint32(PLANE + 2, Number(plane & 0xffff_ffffn))
  return planeBase(nonce)
}
