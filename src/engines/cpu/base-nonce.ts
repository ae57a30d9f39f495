/**
 * Where searches begin, so that no nonce comes twice in a process, nor, but by a chance below 2^-64, in two of them:
 *
 *     first half (32 bytes) = prefix (0 … 16) ‖ salt (24 − prefix) ‖ worker (2) ‖ plane (6)
 *
 * The prefix is the source's, the salt the process's, the worker's number its slot's in shared memory, and the plane's
 * number a counter that this slot never sets back. So the same job may come again, and a worker be replaced by another.
 */
import { planeBase } from "../../kernel/nonce-plane.ts"

/** Bytes of salt an engine draws at its start; a prefix takes the place of the first ones. */
export const SALT_BYTES = 24

const WORKER = 24
const PLANE = 26

/**
 * @param worker 0 … 65535
 * @param plane 0 … 2^48 − 1
 * @returns 64 bytes: the base of a plane that no other call in this process gives, unless with the same arguments
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
