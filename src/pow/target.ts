/** Difficulty, target, and the check of a nonce against a target. */
import { nonceHash } from "./nonce-hash.ts"
import { bytesToInteger, U512_MAX } from "./u512.ts"

/**
 * Computes the target, ⌊(2^512 − 1) / difficulty⌋. A seal's hash is strictly below it.
 * @param difficulty 1 … 2^512 − 1
 * @throws RangeError if `difficulty` is out of range
 */
export function targetOf(difficulty: bigint): bigint {
  if (difficulty < 1n || difficulty > U512_MAX) throw new RangeError("difficulty: expected 1 … 2^512 − 1")
  return U512_MAX / difficulty
}

/** Returns the target's top 64 bits. A nonce is a candidate if the top 64 bits of its hash do not exceed them. */
export const topOf = (target: bigint): bigint => target >> 448n

/**
 * Checks a nonce with the reference hash. Every candidate passes through here before it is submitted.
 * @param header 32 bytes
 * @param nonce 64 bytes
 * @param target a U512, from `targetOf`
 * @returns the nonce's hash, 64 bytes, if it is below the target; otherwise undefined
 * @throws RangeError if the length of `header` or `nonce` is wrong
 */
export function verifySeal(header: Uint8Array, nonce: Uint8Array, target: bigint): Uint8Array | undefined {
  const hash = nonceHash(header, nonce)
  return bytesToInteger(hash) < target ? hash : undefined
}
