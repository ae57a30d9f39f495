import { expect, test } from "bun:test"
import fc from "fast-check"
import { baseNonce, SALT_BYTES } from "../../../src/engines/threads/base-nonce.ts"

const salt = Uint8Array.from({ length: SALT_BYTES }, (_, i) => 0xa0 + i)

test("first half: prefix, salt, worker, plane", () => {
  const nonce = baseNonce(Uint8Array.of(1, 2, 3, 4), salt, 0x0506, 0x0708_090a_0b0cn)
  expect(nonce.slice(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
  expect(nonce.slice(4, 24)).toEqual(salt.slice(4))
  expect(nonce.slice(24, 32)).toEqual(Uint8Array.of(5, 6, 7, 8, 9, 10, 11, 12))
})

test("the longest prefix keeps the salt's last eight bytes", () => {
  const nonce = baseNonce(new Uint8Array(16).fill(0xff), salt, 0, 0n)
  expect(nonce.slice(0, 16)).toEqual(new Uint8Array(16).fill(0xff))
  expect(nonce.slice(16, 24)).toEqual(salt.slice(16))
})

test("each worker and plane has a distinct first half for any prefix", () => {
  const place = fc.record({
    worker: fc.integer({ min: 0, max: 65_535 }),
    plane: fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }),
  })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16 }), place, place, (prefix, a, b) => {
      const firstHalf = ({ worker, plane }: typeof a) => baseNonce(prefix, salt, worker, plane).slice(0, 32).toHex()
      const same = a.worker === b.worker && a.plane === b.plane
      expect(firstHalf(a) === firstHalf(b)).toBe(same)
    }),
    { seed: 3 },
  )
})
