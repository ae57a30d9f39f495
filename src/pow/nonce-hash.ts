/**
 * The nonce hash: a Poseidon2 sponge over header ‖ nonce with 64 bytes of output. Source: `hash_squeeze_twice` in crate
 * `qp-poseidon-core` 3.1.0, file `src/lib.rs`.
 */
import { RATE, WIDTH } from "./constants.ts"
import { add } from "./field.ts"
import { permute, type State } from "./poseidon2.ts"

export const HEADER_BYTES = 32
export const NONCE_BYTES = 64
export const HASH_BYTES = 64

export type Permutation = (state: State) => bigint[]

/**
 * Computes the hash of `header ‖ nonce`. Compared with a target, it is read as a big-endian U512.
 * @param header 32 bytes
 * @param nonce 64 bytes
 * @param permutation the implementation of the permutation; tests pass the one under test
 * @returns 64 bytes: elements 0 … 3 of the two output states, each element as 8 little-endian bytes
 * @throws RangeError if the length of `header` or `nonce` is wrong
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

/** Returns the sponge's initial state: 12 zeros. */
export const emptyState = (): State => new Array<bigint>(WIDTH).fill(0n)

/** Adds limb i to element i. @param limbs at most 8 integers, 0 … 2^32 − 1 */
export const addBlock = (state: State, limbs: readonly bigint[]): bigint[] =>
  state.map((x, i) => (i < limbs.length ? add(x, limbs[i]!) : x))

/** Adds a block, then permutes the state. */
export const absorbBlock = (state: State, limbs: readonly bigint[], permutation: Permutation = permute): bigint[] =>
  permutation(addBlock(state, limbs))

/**
 * The last block of a message whose length is a multiple of 32 bytes: the end marker of the byte encoding, then the
 * padding of the sponge.
 */
export const TERMINATOR: readonly bigint[] = [1n, 1n]

/** Returns the header as a block of eight little-endian 32-bit limbs. @param header 32 bytes */
export function headerBlock(header: Uint8Array): bigint[] {
  expectLength("header", header, HEADER_BYTES)
  return limbs(header, 0)
}

/**
 * Returns the first (0) or second (1) 32 bytes of the nonce as a block of eight little-endian 32-bit limbs.
 * @param nonce 64 bytes
 */
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
