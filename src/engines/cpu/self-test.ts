/**
 * Known answers before mining: a kernel proves itself on the machine and in the thread where it will search. The answers
 * are the reference's, computed once in the process; nothing is random from run to run, so what fails fails always.
 */
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import { absorbBlock, emptyState, headerBlock, nonceHalf, nonceHash, TERMINATOR } from "../../pow/nonce-hash.ts"
import type { State } from "../../pow/poseidon2.ts"
import { bytesToHex, hexToBytes } from "../../pow/u512.ts"
import { nonceAt } from "./range.ts"

/** Published hashes (of the chain's own implementation), one of random and two of extreme bytes. */
const VECTORS: readonly { readonly header: string; readonly nonce: string; readonly hash: string }[] = [
  {
    header: "050f60aaea1a1935a54d0dfce64bc534f0832e1d0e340083deecf621baa93add",
    nonce:
      "41cd436d45890a64c63e8157c62e4a8aa2d7163b7802c9a6e5503ba45ca00e26d952886ec3cfdfb337d9c79201fd749255e7759f9bc01bba6acf34c5a7b72d5e",
    hash: "869e77f908529e38b37c51d1e796a71f50490618fea64e1551d2fd86bd3041d548ff0935d328fcf99cbd0a787ce1cc734f176d4a175d8f95afd43656fcb7a802",
  },
  {
    header: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    nonce:
      "0000000000000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    hash: "885e7a2ab901d94dd06688e3c31ff9992714f5eda4cf4d66dfffbddb2f9aa353f691ff72b7226332c8331aa02fbbe868bb16362c4023d99444377611da02455b",
  },
  {
    header: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    nonce:
      "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000ffffffff",
    hash: "41a318dbecec5d908c80a7e5950267fb9c2bbcecf87b40ce7f5f713544f97ee7e74b316f6b6b5adb580bcdecd6036e3669044b1510e9be778fcb545eb91c4737",
  },
]

/** Nonces of a range that are tested beside a whole row. */
const RANGE_NONCES = 64

/** Nonces, and the first 64 bits of their hashes as the reference computes them. */
export interface KnownAnswers {
  readonly header: Uint8Array
  /** 64 bytes: a plane's base, or the range's nonce whose last four bytes are 0. */
  readonly base: Uint8Array
  /** The row in the plane, or the first nonce's last four bytes. */
  readonly at: number
  readonly tops: readonly bigint[]
}

export interface SelfTest {
  readonly row: KnownAnswers
  readonly range: KnownAnswers
}

let known: SelfTest | undefined

/** Some 320 nonces with their answers. The first call takes a hundred milliseconds or two, all of them the reference's. */
export function knownAnswers(): SelfTest {
  known ??= { row: rowAnswers(), range: rangeAnswers() }
  return known
}

/**
 * Compares all that a worker uses of a kernel with what is known: hashes by its permutation, a row and a range of nonces
 * that are judged at many targets.
 * @returns what is wrong, a part of a sentence; undefined where nothing is
 */
export function selfTest(kernel: Kernel, { row, range }: SelfTest): string | undefined {
  const sponge = ({ header, base }: KnownAnswers) => spongeBeforeLast(header, base, state => kernel.permute(state))
  const wrongHash = testVectors(kernel)
  if (wrongHash) return wrongHash
  kernel.preparePlane(sponge(row))
  const wrongRow = compare(kernel, "row", row.tops, () => kernel.searchRow(row.at))
  if (wrongRow) return wrongRow
  kernel.prepareRange(sponge(range))
  return compare(kernel, "range", range.tops, () => kernel.searchRange(range.at, range.tops.length))
}

function rowAnswers(): KnownAnswers {
  const { header, nonce } = sample(1)
  const base = planeBase(nonce)
  const at = 0x2a5_1234
  return { header, base, at, tops: referenceTops(header, ROW, t1 => planeNonce(base, at, t1)) }
}

function rangeAnswers(): KnownAnswers {
  const { header, nonce: base } = sample(2)
  const at = 0xffff_f000 + 77
  base.fill(0, 60)
  return { header, base, at, tops: referenceTops(header, RANGE_NONCES, offset => nonceAt(base, at + offset)) }
}

function testVectors(kernel: Kernel): string | undefined {
  const permutation = (state: State) => {
    const elements = BigUint64Array.from(state)
    kernel.permute(elements)
    return [...elements]
  }
  for (const { header, nonce, hash } of VECTORS) {
    if (bytesToHex(nonceHash(hexToBytes(header), hexToBytes(nonce), permutation)) !== hash) {
      return `a wrong hash of the nonce ${nonce}`
    }
  }
  return undefined
}

/** Runs one search at the easiest target, at one that half of the nonces meet, and just at and just below some hashes. */
function compare(kernel: Kernel, what: string, tops: readonly bigint[], search: () => number): string | undefined {
  const edges = tops.filter((_, i) => i % 16 === 0).flatMap(top => (top > 0n ? [top, top - 1n] : [top]))
  for (const target of [2n ** 64n - 1n, 2n ** 63n, ...edges]) {
    kernel.setTarget(target)
    const found = [...kernel.hits.subarray(0, search())]
    const expected = tops.flatMap((top, i) => (top <= target ? [i] : []))
    if (found.length !== expected.length || found.some((hit, i) => hit !== expected[i])) {
      return `a ${what} at target ${target.toString(16)} with ${found.length} candidates that should have ${expected.length}`
    }
  }
  return undefined
}

/** The first 64 bits of the hashes of nonces that share their first half, by the reference. */
function referenceTops(header: Uint8Array, count: number, nonce: (i: number) => Uint8Array): bigint[] {
  const shared = absorbBlock(absorbBlock(emptyState(), headerBlock(header)), nonceHalf(nonce(0), 0))
  return Array.from({ length: count }, (_, i) => {
    const [first] = absorbBlock(absorbBlock(shared, nonceHalf(nonce(i), 1)), TERMINATOR)
    const bytes = new DataView(new ArrayBuffer(8))
    bytes.setBigUint64(0, first!, true)
    return bytes.getBigUint64(0)
  })
}

/** A header and a nonce without any pattern, the same for the same seed (SplitMix64's output function over a counter). */
function sample(seed: number): { header: Uint8Array; nonce: Uint8Array } {
  const words = BigUint64Array.from({ length: 12 }, (_, i) => {
    let z = BigInt.asUintN(64, (BigInt(seed) * 12n + BigInt(i) + 1n) * 0x9e3779b97f4a7c15n)
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
    return z ^ (z >> 31n)
  })
  const bytes = new Uint8Array(words.buffer)
  return { header: bytes.slice(0, 32), nonce: bytes.slice(32) }
}
