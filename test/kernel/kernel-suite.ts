/** The tests that every kernel must pass: it is compared with the reference. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Kernel, ROW } from "../../src/kernel/kernel.ts"
import { PLANE_ROWS, planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { P } from "../../src/pow/field.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { permute } from "../../src/pow/poseidon2.ts"

const word = fc.oneof(
  fc.constantFrom(0n, 1n, P - 1n, P, P + 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)
const state = fc.array(word, { minLength: 12, maxLength: 12 })
const header = fc.uint8Array({ minLength: 32, maxLength: 32 })
const nonce = fc.uint8Array({ minLength: 64, maxLength: 64 })

/** The hash's first 64 bits, big-endian. */
const topOf = (header: Uint8Array, nonce: Uint8Array) =>
  new DataView(nonceHash(header, nonce).buffer).getBigUint64(0, false)

/** Fixed, because a kernel may miss one nonce in a million; `test/slow/misses.test.ts` measures how many. */
const SEED = 20261123

export function kernelSuite(name: string, create: () => Promise<Kernel>): void {
  describe(`kernel ${name}`, async () => {
    const kernel = await create()
    const permuteInPlace = (s: BigUint64Array) => kernel.permute(s)

    test("permutes any words like the reference", () => {
      fc.assert(
        fc.property(state, words => {
          const s = BigUint64Array.from(words)
          kernel.permute(s)
          expect([...s]).toEqual(permute(words.map(w => w % P)))
        }),
        { seed: SEED },
      )
    })

    test("reports all nonces of a row if every nonce is a candidate", () => {
      const base = planeBase(new Uint8Array(64).fill(1))
      kernel.setTarget(2n ** 64n - 1n)
      kernel.preparePlane(spongeBeforeLast(new Uint8Array(32), base, permuteInPlace))
      expect(kernel.row).toBeGreaterThanOrEqual(ROW)
      expect(kernel.searchRow(0)).toBe(kernel.row)
      expect([...kernel.hits]).toEqual(Array.from({ length: kernel.row }, (_, t1) => t1))
    })

    test("reports exactly the nonces of a row at or below the target", () => {
      const row = fc.oneof(fc.constantFrom(0, 1, PLANE_ROWS - 1), fc.integer({ min: 0, max: PLANE_ROWS - 1 }))
      fc.assert(
        fc.property(header, nonce, row, (header, random, t0) => {
          const base = planeBase(random)
          const tops = Array.from({ length: kernel.row }, (_, t1) => topOf(header, planeNonce(base, t0, t1)))
          kernel.preparePlane(spongeBeforeLast(header, base, permuteInPlace))
          for (const target of [tops[0]!, tops[200]! - 1n, tops.at(-1)!]) {
            kernel.setTarget(target)
            const found = kernel.searchRow(t0)
            expect([...kernel.hits.subarray(0, found)]).toEqual(tops.flatMap((top, t1) => (top <= target ? [t1] : [])))
          }
        }),
        { seed: SEED, numRuns: 2 },
      )
    })

    test("reports exactly the nonces of a range at or below the target", () => {
      const cases = [
        [0, 1],
        [255, 3],
        [2 ** 32 - 40, 40],
        [0x01fffff0, 33],
        [2 ** 32 - ROW, ROW],
      ] as const
      fc.assert(
        fc.property(header, nonce, (header, random) => {
          const view = new DataView(random.buffer, random.byteOffset)
          view.setUint32(60, 0)
          kernel.prepareRange(spongeBeforeLast(header, random, permuteInPlace))
          for (const [first, count] of cases) {
            const tops = Array.from({ length: count }, (_, i) => {
              view.setUint32(60, first + i)
              return topOf(header, random)
            })
            for (const target of [tops[0]!, tops.at(-1)! - 1n]) {
              kernel.setTarget(target)
              const found = kernel.searchRange(first, count)
              expect([...kernel.hits.subarray(0, found)]).toEqual(tops.flatMap((top, i) => (top <= target ? [i] : [])))
            }
          }
        }),
        { seed: SEED, numRuns: 2 },
      )
    })
  })
}
