/** Unsigned 512-bit integers: `bigint` to compute with, 64 bytes big-endian on the wire. */

export const U512_MAX = 2n ** 512n - 1n

/** @param bytes big-endian, any length */
export function bytesToInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`)
}

/** 64 bytes, big-endian. @throws RangeError outside 0 … 2^512 − 1 */
export function integerToBytes(value: bigint): Uint8Array {
  if (value < 0n || value > U512_MAX) throw new RangeError("U512: expected 0 … 2^512 − 1")
  return Uint8Array.fromHex(value.toString(16).padStart(128, "0"))
}
