import { expect, test } from "bun:test"
import fc from "fast-check"
import { CHUNK, chunkOf, nonceAt, rangeOf } from "../../../src/engines/threads/range.ts"
import { bytesToInteger, integerToBytes, U512_MAX } from "../../../src/pow/u512.ts"
import type { NonceRange } from "../../../src/sources/source.ts"

/** Every nonce of a small range, chunk by chunk. */
function walk(range: NonceRange): bigint[] {
  const nonces: bigint[] = []
  for (let chunk = 0n; ; chunk++) {
    const part = chunkOf(range, chunk)
    if (!part) return nonces
    for (let offset = part.begin; offset < part.end; offset++) nonces.push(bytesToInteger(nonceAt(part.base, offset)))
  }
}

const clamp = (nonce: bigint): bigint => (nonce < 0n ? 0n : nonce <= U512_MAX ? nonce : U512_MAX)

/** Up to 9000 nonces near a place where something carries over. */
const small = fc
  .record({
    around: fc.constantFrom(0n, 2n ** 32n, 2n ** 256n, 2n ** 511n, U512_MAX),
    shift: fc.integer({ min: -9000, max: 9000 }),
    size: fc.nat(9000),
  })
  .map(({ around, shift, size }) => {
    const first = clamp(around + BigInt(shift))
    return { first, last: clamp(first + BigInt(size)) }
  })

test("the chunks of a range contain its nonces once and in order", () => {
  fc.assert(
    fc.property(small, range => {
      const nonces = walk(range)
      expect(nonces.length).toBe(Number(range.last - range.first) + 1)
      for (const [i, nonce] of nonces.entries()) if (nonce !== range.first + BigInt(i)) throw new Error(`wrong at ${i}`)
    }),
    { numRuns: 60, seed: 7 },
  )
})

test("nonces of a chunk differ in their last four bytes only", () => {
  const range = { first: 2n ** 256n - 5000n, last: 2n ** 256n + 5000n }
  for (let chunk = 0n; ; chunk++) {
    const part = chunkOf(range, chunk)
    if (!part) break
    expect(nonceAt(part.base, part.end - 1).subarray(0, 60)).toEqual(part.base.subarray(0, 60))
  }
})

test("a range of one nonce and the range of all nonces", () => {
  expect(walk({ first: 5n, last: 5n })).toEqual([5n])
  expect(walk({ first: U512_MAX, last: U512_MAX })).toEqual([U512_MAX])
  const whole = { first: 0n, last: U512_MAX }
  const chunks = 2n ** 512n / BigInt(CHUNK)
  expect(chunkOf(whole, 0n)).toMatchObject({ begin: 0, end: CHUNK })
  expect(chunkOf(whole, chunks - 1n)).toMatchObject({ begin: 0, end: CHUNK })
  expect(chunkOf(whole, chunks)).toBeUndefined()
})

test("a range's bounds survive the conversion from bytes", () => {
  const range = { first: 1n, last: U512_MAX - 1n }
  expect(rangeOf({ first: integerToBytes(range.first), last: integerToBytes(range.last) })).toEqual(range)
})
