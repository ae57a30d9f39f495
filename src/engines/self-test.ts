/**
 * Known-answer test before mining: each kernel is tested in the thread that will run it. All inputs are constant, so a
 * failure is reproducible. The reference implementation is too slow to run at start; a digest of its results is stored.
 */
import { createHash } from "node:crypto"
import { type Kernel, ROW } from "../kernel/kernel.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../kernel/nonce-plane.ts"
import { nonceHash, type Permutation } from "../pow/nonce-hash.ts"
import { permute } from "../pow/poseidon2.ts"
import { nonceAt } from "./threads/range.ts"

/** Published hashes of the chain's implementation: one of random bytes and two of extreme bytes. */
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

/** Nonces of a range that are tested in addition to a whole row. */
const RANGE_NONCES = 64

/** Positions of the row and the range; the range ends near the maximum of its four bytes. */
const ROW_AT = 0x2a5_1234
const RANGE_AT = 0xffff_f04d

/** SHA-256 of the hashes of the row's first `ROW` nonces and of the range; `test/engines/self-test.test.ts` recomputes it. */
const ANSWERS = "6657b60d0b71205cf7fd0d61e2d908c25b920407746b83e4ae3db07614b5c87d"

/** Nonces to search, and their hashes by a given permutation. */
interface Questions {
  readonly header: Uint8Array
  readonly base: Uint8Array
  readonly hashes: readonly Uint8Array[]
}

/**
 * Tests everything that a worker uses of a kernel against known results: hashes by its permutation, then a row and a range
 * of nonces at several targets each.
 * @returns the fault, as a noun phrase; undefined if the kernel is correct
 */
export function selfTest(kernel: Kernel): string | undefined {
  const permutation: Permutation = state => {
    const elements = BigUint64Array.from(state)
    kernel.permute(elements)
    return [...elements]
  }
  for (const { header, nonce, hash } of VECTORS) {
    if (nonceHash(Uint8Array.fromHex(header), Uint8Array.fromHex(nonce), permutation).toHex() !== hash) {
      return `a wrong hash of the nonce ${nonce}`
    }
  }
  const { row, range } = questions(permutation, kernel.row)
  if (digestOf({ row, range }) !== ANSWERS) return "a wrong hash among those of 320 known nonces"
  const sponge = ({ header, base }: Questions) => spongeBeforeLast(header, base, state => kernel.permute(state))
  kernel.preparePlane(sponge(row))
  const wrong = compare(kernel, "row", row, () => kernel.searchRow(ROW_AT))
  if (wrong) return wrong
  kernel.prepareRange(sponge(range))
  return compare(kernel, "range", range, () => kernel.searchRange(RANGE_AT, RANGE_NONCES))
}

/** The digest of the results by a permutation, the reference by default; `ANSWERS` if the permutation is correct. */
export const answersDigest = (permutation: Permutation = permute): string => digestOf(questions(permutation, ROW))

function digestOf({ row, range }: ReturnType<typeof questions>): string {
  const digest = createHash("sha256")
  for (const hash of [...row.hashes.slice(0, ROW), ...range.hashes]) digest.update(hash)
  return digest.digest("hex")
}

const questions = (permutation: Permutation, rowLength: number) => ({
  row: rowQuestions(permutation, rowLength),
  range: rangeQuestions(permutation),
})

function rowQuestions(permutation: Permutation, length: number): Questions {
  const { header, nonce } = sample(1)
  const base = planeBase(nonce)
  const hashes = Array.from({ length }, (_, t1) => nonceHash(header, planeNonce(base, ROW_AT, t1), permutation))
  return { header, base, hashes }
}

function rangeQuestions(permutation: Permutation): Questions {
  const { header, nonce: base } = sample(2)
  base.fill(0, 60)
  const hashes = Array.from({ length: RANGE_NONCES }, (_, offset) =>
    nonceHash(header, nonceAt(base, RANGE_AT + offset), permutation),
  )
  return { header, base, hashes }
}

/** Searches at the easiest target, at one that half of the nonces meet, and at and just below some hashes. */
function compare(kernel: Kernel, what: string, { hashes }: Questions, search: () => number): string | undefined {
  const tops = hashes.map(hash => new DataView(hash.buffer).getBigUint64(0))
  const edges = tops.filter((_, i) => i % 64 === 0).flatMap(top => (top > 0n ? [top, top - 1n] : [top]))
  for (const target of [2n ** 64n - 1n, 2n ** 63n, ...edges]) {
    kernel.setTarget(target)
    const found = [...kernel.hits.subarray(0, search())]
    const expected = tops.flatMap((top, i) => (top <= target ? [i] : []))
    if (found.length !== expected.length || found.some((hit, i) => hit !== expected[i])) {
      return `wrong candidates in a ${what}: ${found.length} reported, ${expected.length} expected`
    }
  }
  return undefined
}

/** A pseudorandom header and nonce, determined by the seed (SplitMix64's output function over a counter). */
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
