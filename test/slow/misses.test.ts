/**
 * How often a kernel that drops rare carries is wrong: all of ten million results, a bit of each, against another kernel,
 * and where the two disagree, against the specification.
 */
import { describe, expect, test } from "bun:test"
import { createKernel } from "../../src/engines/cpu/kernels.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { refusalOf } from "../support/kernels.ts"

const NONCES = Number(process.env["MISS_NONCES"] ?? 10_000_000)
/** Half of all hashes are below it, so one wrong result in two shows. */
const HALF = 2n ** 63n
const SHOWS = 2

const header = new Uint8Array(32).map((_, i) => 3 * i + 1)
const base = planeBase(new Uint8Array(64).map((_, i) => 7 * i + 5))

describe.each(["avx512", "avx512-limbs", "avx2"] as const)("misses of %s", name => {
  const why = refusalOf(name)
  test.skipIf(why !== undefined)(why ? `skipped: ${why}` : "below one in a million", async () => {
    const tested = createKernel(name)
    const other = createKernel("wasm")
    for (const k of [tested, other]) {
      k.preparePlane(spongeBeforeLast(header, base, state => other.permute(state)))
      k.setTarget(HALF)
    }
    const wrong = { tested: 0, other: 0 }
    let hits = 0
    for (let t0 = 0; t0 < NONCES / ROW; t0++) {
      const found = new Set(tested.hits.subarray(0, tested.searchRow(t0)).filter(t1 => t1 < ROW))
      const expected = new Set(other.hits.subarray(0, other.searchRow(t0)))
      hits += expected.size
      for (const t1 of found.symmetricDifference(expected)) {
        const hash = nonceHash(header, planeNonce(base, t0, t1))
        const isHit = new DataView(hash.buffer).getBigUint64(0) <= HALF
        if (found.has(t1) !== isHit) wrong.tested++
        else wrong.other++
      }
    }
    tested.close()
    const rate = (count: number) => `${((SHOWS * count) / NONCES).toExponential(1)} a nonce (${count} seen)`
    console.log(`${name} over ${NONCES} nonces: misses ${rate(wrong.tested)}; wasm ${rate(wrong.other)}; ${hits} hits`)
    expect((SHOWS * wrong.tested) / NONCES).toBeLessThan(1e-6 + 3 * Math.sqrt(1e-6 / NONCES))
  })
})
