/** Difficulty, target, and the judgement whether a nonce is a seal. */
import { nonceHash } from "./nonce-hash.ts"
import { bytesToInteger, U512_MAX } from "./u512.ts"

/**
 * The number that a hash must be strictly below: ⌊(2^512 − 1) / difficulty⌋.
 * @param difficulty 1 … 2^512 − 1
 * @throws RangeError outside that range
 */
export function targetOf(difficulty: bigint): bigint {
  if (difficulty < 1n || difficulty > U512_MAX) throw new RangeError("difficulty: expected 1 … 2^512 − 1")
  return U512_MAX / difficulty
}

/** The target's first 64 bits. A hash whose first 64 bits exceed them is no seal; any other is a candidate. */
export const topOf = (target: bigint): bigint => target >> 448n

/**
 * The judge of every seal.
 * @param header 32 bytes
 * @param nonce 64 bytes
 * @param target a U512, of `targetOf`
 * @returns the nonce's hash, 64 bytes, where it is below the target; undefined where the nonce is no seal
 */
export function verifySeal(header: Uint8Array, nonce: Uint8Array, target: bigint): Uint8Array | undefined {
  const hash = nonceHash(header, nonce)
  return bytesToInteger(hash) < target ? hash : undefined
}
