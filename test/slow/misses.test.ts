/**
 * How often a kernel that drops rare carries is wrong: all of ten million results, a bit of each, against another kernel,
 * and where the two disagree, against the specification.
 */
import { describe, expect, test } from "bun:test"
import { createKernel } from "../../src/engines/cpu/kernels.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { refusalOf } from "../support/kernels.ts"
import { isHit, maxMissRate, missRate, prepare } from "./half-plane.ts"

const NONCES = Number(process.env["MISS_NONCES"] ?? 10_000_000)

describe.each(["avx512", "avx512-limbs", "avx2", "scalar"] as const)("misses of %s", name => {
  const why = refusalOf(name)
  test.skipIf(why !== undefined)(why ? `skipped: ${why}` : "below one in a million", async () => {
    const tested = createKernel(name)
    const other = createKernel("wasm")
    for (const kernel of [tested, other]) prepare(kernel, other)
    const wrong = { tested: 0, other: 0 }
    let hits = 0
    for (let t0 = 0; t0 < NONCES / ROW; t0++) {
      const found = new Set(tested.hits.subarray(0, tested.searchRow(t0)).filter(t1 => t1 < ROW))
      const expected = new Set(other.hits.subarray(0, other.searchRow(t0)))
      hits += expected.size
      for (const t1 of found.symmetricDifference(expected)) {
        if (found.has(t1) !== isHit(t0, t1)) wrong.tested++
        else wrong.other++
      }
    }
    tested.close()
    const rate = (count: number) => `${missRate(count, NONCES).toExponential(1)} a nonce (${count} seen)`
    console.log(`${name} over ${NONCES} nonces: misses ${rate(wrong.tested)}; wasm ${rate(wrong.other)}; ${hits} hits`)
    expect(missRate(wrong.tested, NONCES)).toBeLessThan(maxMissRate(NONCES))
  })
})
