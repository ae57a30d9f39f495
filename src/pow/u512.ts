/** Unsigned 512-bit integers: `bigint` in the code, 64 big-endian bytes on the wire. */

/** The largest value, 2^512 − 1. */
export const U512_MAX = 2n ** 512n - 1n

/** Decodes an unsigned integer. @param bytes big-endian, any length; empty is 0 */
export function bytesToInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`)
}

/** Encodes a U512. @returns 64 bytes, big-endian @throws RangeError if `value` is outside 0 … 2^512 − 1 */
export function integerToBytes(value: bigint): Uint8Array {
  if (value < 0n || value > U512_MAX) throw new RangeError("U512: expected 0 … 2^512 − 1")
  return Uint8Array.fromHex(value.toString(16).padStart(128, "0"))
}
