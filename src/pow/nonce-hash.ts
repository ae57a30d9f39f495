/** The hash that a nonce is judged by: a Poseidon2 sponge over header ‖ nonce, 64 bytes. */
import { RATE, WIDTH } from "./constants.ts"
import { add } from "./field.ts"
import { permute, type State } from "./poseidon2.ts"

export const HEADER_BYTES = 32
export const NONCE_BYTES = 64
export const HASH_BYTES = 64

export type Permutation = (state: State) => bigint[]

/**
 * `Poseidon2-sponge(header ‖ nonce)`, read as a big-endian U512 when compared with a target.
 * @param header 32 bytes
 * @param nonce 64 bytes
 * @param permutation another implementation of the permutation, to check one against the other
 * @returns 64 bytes
 * @throws RangeError where a length is wrong
 */
export function nonceHash(header: Uint8Array, nonce: Uint8Array, permutation: Permutation = permute): Uint8Array {
  let state = absorbBlock(emptyState(), headerBlock(header), permutation)
  state = absorbBlock(state, nonceHalf(nonce, 0), permutation)
  state = absorbBlock(state, nonceHalf(nonce, 1), permutation)
  const first = absorbBlock(state, TERMINATOR, permutation)
  const second = permutation(first)
  const hash = new Uint8Array(HASH_BYTES)
  const view = new DataView(hash.buffer)
  for (let i = 0; i < 4; i++) {
    view.setBigUint64(8 * i, first[i]!, true)
    view.setBigUint64(32 + 8 * i, second[i]!, true)
  }
  return hash
}

/** The sponge's start. */
export const emptyState = (): State => new Array<bigint>(WIDTH).fill(0n)

/** Adds a block to elements 0 … 7. @param limbs at most 8 numbers below 2^32 */
export const addBlock = (state: State, limbs: readonly bigint[]): bigint[] =>
  state.map((x, i) => (i < limbs.length ? add(x, limbs[i]!) : x))

/** Adds a block, then permutes. */
export const absorbBlock = (state: State, limbs: readonly bigint[], permutation: Permutation = permute): bigint[] =>
  permutation(addBlock(state, limbs))

/** The padding of a message that fills its last block: elements 0 and 1 each gain 1. */
export const TERMINATOR: readonly bigint[] = [1n, 1n]

/** The header as a block of eight little-endian 32-bit limbs. */
export function headerBlock(header: Uint8Array): bigint[] {
  expectLength("header", header, HEADER_BYTES)
  return limbs(header, 0)
}

/** The nonce's first (0) or second (1) 32 bytes as a block of eight little-endian 32-bit limbs. */
export function nonceHalf(nonce: Uint8Array, half: 0 | 1): bigint[] {
  expectLength("nonce", nonce, NONCE_BYTES)
  return limbs(nonce, 32 * half)
}

function limbs(bytes: Uint8Array, offset: number): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 4 * RATE)
  return Array.from({ length: RATE }, (_, i) => BigInt(view.getUint32(4 * i, true)))
}

function expectLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${what}: expected ${length} bytes, got ${bytes.length}`)
}
