import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { targetOf, topOf, verifySeal } from "../../src/pow/target.ts"
import { bytesToInteger, integerToBytes, U512_MAX } from "../../src/pow/u512.ts"

const u512 = fc.bigInt({ min: 1n, max: U512_MAX })

describe("target", () => {
  test("is the largest integer whose product with the difficulty is at most 2^512 − 1", () => {
    fc.assert(
      fc.property(u512, difficulty => {
        const target = targetOf(difficulty)
        expect(target * difficulty <= U512_MAX).toBe(true)
        expect((target + 1n) * difficulty > U512_MAX).toBe(true)
      }),
    )
  })

  test("rejects difficulty 0 and values above 2^512 − 1", () => {
    expect(() => targetOf(0n)).toThrow(RangeError)
    expect(() => targetOf(U512_MAX + 1n)).toThrow(RangeError)
  })

  test("every hash below the target has top 64 bits at or below the target's", () => {
    fc.assert(
      fc.property(u512, u512, (difficulty, hash) => {
        const target = targetOf(difficulty)
        if (hash < target) expect(hash >> 448n <= topOf(target)).toBe(true)
      }),
    )
  })
})

describe("verifySeal", () => {
  const header = new Uint8Array(32).fill(7)
  const nonce = new Uint8Array(64).fill(9)
  const hash = nonceHash(header, nonce)

  test("the comparison is strict", () => {
    expect(verifySeal(header, nonce, bytesToInteger(hash))).toBeUndefined()
    expect(verifySeal(header, nonce, bytesToInteger(hash) + 1n)).toEqual(hash)
  })

  test("rejects wrong lengths", () => {
    expect(() => verifySeal(header.subarray(1), nonce, U512_MAX)).toThrow("header: expected 32 bytes, got 31")
    expect(() => verifySeal(header, nonce.subarray(1), U512_MAX)).toThrow("nonce: expected 64 bytes, got 63")
  })
})

test("U512 encoding and decoding are inverse", () => {
  fc.assert(fc.property(u512, value => expect(bytesToInteger(integerToBytes(value))).toBe(value)))
  expect(integerToBytes(258n).slice(-3)).toEqual(new Uint8Array([0, 1, 2]))
  expect(() => integerToBytes(-1n)).toThrow(RangeError)
})
