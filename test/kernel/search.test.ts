import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Element, interpreter as ops } from "../../src/kernel/interpreter.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { PLANE_ROWS, planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { permutation } from "../../src/kernel/permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../../src/kernel/search.ts"
import { P } from "../../src/pow/field.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { permute } from "../../src/pow/poseidon2.ts"

const element = fc.oneof(fc.constantFrom(0n, 1n, P - 1n, 2n ** 32n), fc.bigInt({ min: 0n, max: P - 1n }))
const state = fc.array(element, { minLength: 12, maxLength: 12 })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const elements = (values: Iterable<bigint>) => Array.from(values, value => new Element(value))
const first64 = (hash: Uint8Array) => new DataView(hash.buffer).getBigUint64(0, true)
const permuteInPlace = (s: BigUint64Array) => s.set(permute([...s]))

describe("the interpreted search program", () => {
  test.each([false, true])("permutes like the reference if productsTakeConstants is %p", takes => {
    fc.assert(
      fc.property(state, s => {
        const target = { ...ops, productsTakeConstants: takes }
        expect(permutation(target, elements(s)).map(x => x.value)).toEqual(permute(s))
      }),
      { numRuns: 20 },
    )
  })

  test("computes the first element of the hash of a plane's nonces from row and column parts", () => {
    const row = fc.integer({ min: 0, max: PLANE_ROWS - 1 })
    const column = fc.integer({ min: 0, max: ROW - 1 })
    fc.assert(
      fc.property(bytes(32), bytes(64), row, column, (header, random, t0, t1) => {
        const base = planeBase(random)
        const shared = plane(ops, elements(spongeBeforeLast(header, base, permuteInPlace)))
        const [r, c] = [rowPart(ops, shared, new Element(BigInt(t0))), columnPart(ops, shared, new Element(BigInt(t1)))]
        const hash = nonceHash(header, planeNonce(base, t0, t1))
        expect(hashElement(ops, crossing(ops, r, c)).value).toBe(first64(hash))
      }),
      { numRuns: 20 },
    )
  })

  test("computes the first element of the hash of any nonce", () => {
    fc.assert(
      fc.property(bytes(32), bytes(64), (header, nonce) => {
        const s = elements(spongeBeforeLast(header, nonce, permuteInPlace))
        const hash = nonceHash(header, nonce)
        expect(hashElement(ops, firstRound(ops, s)).value).toBe(first64(hash))
      }),
      { numRuns: 20 },
    )
  })
})

test("the nonces of a plane are distinct, and their limbs do not overflow", () => {
  fc.assert(
    fc.property(bytes(64), random => {
      const base = planeBase(random)
      const corners = [0, 1, 2, PLANE_ROWS - 1].flatMap(t0 => [0, 1, ROW - 1].map(t1 => planeNonce(base, t0, t1)))
      expect(new Set(corners.map(nonce => nonce.toHex())).size).toBe(corners.length)
      const view = new DataView(base.buffer)
      for (let at = 32; at < 64; at += 4) {
        const reach = 17 * (PLANE_ROWS - 1) + 17 * (ROW - 1)
        expect(view.getUint32(at, true) - reach).toBeGreaterThanOrEqual(0)
        expect(view.getUint32(at, true) + reach).toBeLessThan(2 ** 32)
      }
    }),
  )
})
