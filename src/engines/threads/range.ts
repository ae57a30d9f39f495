/**
 * An exact range of nonces, cut into chunks that workers lease one at a time. Chunks begin at absolute multiples of
 * `CHUNK`, so all nonces of a chunk differ in their last four bytes only. The first and last chunk of a range may be
 * partial.
 */
import { bytesToInteger, integerToBytes } from "../../pow/u512.ts"
import type { NonceRange } from "../../sources/source.ts"

/** Nonces in a chunk: some milliseconds of one worker, so that all workers finish a range together. */
export const CHUNK = 4096

/** The part of a chunk that lies inside the range. */
export interface ChunkPart {
  /** 64 bytes: the nonce at offset 0 of the chunk, which may lie outside the range. */
  readonly base: Uint8Array
  /** Offset from `base` of the first nonce inside the range. */
  readonly begin: number
  /** Offset from `base` of the first nonce behind the range or the chunk. */
  readonly end: number
}

/** @returns undefined if the range has no such chunk */
export function chunkOf(range: NonceRange, chunk: bigint): ChunkPart | undefined {
  const size = BigInt(CHUNK)
  const start = range.first - (range.first % size) + chunk * size
  if (start > range.last) return undefined
  const left = range.last - start + 1n
  return {
    base: integerToBytes(start),
    begin: start < range.first ? Number(range.first - start) : 0,
    end: left < size ? Number(left) : CHUNK,
  }
}

/** The nonce at an offset (below `CHUNK`) of a chunk. @param base 64 bytes, whose last 12 bits are 0 */
export function nonceAt(base: Uint8Array, offset: number): Uint8Array {
  const nonce = base.slice()
  const view = new DataView(nonce.buffer)
  view.setUint32(60, view.getUint32(60) + offset)
  return nonce
}

/** @param bounds 64 bytes each, big-endian */
export const rangeOf = (bounds: { readonly first: Uint8Array; readonly last: Uint8Array }): NonceRange => ({
  first: bytesToInteger(bounds.first),
  last: bytesToInteger(bounds.last),
})
