/**
 * Known-answer test before mining: each kernel is tested in the thread that will run it. All inputs are constant, so a
 * failure is reproducible. The reference implementation is too slow to run at start; its results are stored.
 */
import type { Kernel } from "../kernel/kernel.ts"
import { spongeBeforeLast } from "../kernel/nonce-plane.ts"
import { nonceHash, type Permutation } from "../pow/nonce-hash.ts"
import { KNOWN_RANGE, KNOWN_ROW, type KnownHashes, RANGE_AT, ROW_AT } from "./known-hashes.ts"

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

/**
 * Tests a kernel against known results: hashes by its permutation, then a row and a range of nonces at several targets
 * each.
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
  const sponge = ({ header, base }: KnownHashes) => spongeBeforeLast(header, base, state => kernel.permute(state))
  kernel.preparePlane(sponge(KNOWN_ROW))
  const row = KNOWN_ROW.tops.slice(0, kernel.row)
  const wrong = compare(kernel, "row", row, () => kernel.searchRow(ROW_AT))
  if (wrong) return wrong
  kernel.prepareRange(sponge(KNOWN_RANGE))
  return compare(kernel, "range", KNOWN_RANGE.tops, () => kernel.searchRange(RANGE_AT, KNOWN_RANGE.tops.length))
}

/** Searches at the easiest target, at one that half of the nonces meet, and at and just below some hashes. */
function compare(kernel: Kernel, what: string, tops: readonly bigint[], search: () => number): string | undefined {
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
