/**
 * Every form of the PTX text, translated to C and run on ten million nonces, against the WebAssembly kernel and, where
 * the two disagree, against the specification. The wrong results are compared with the rate computed in `docs/gpu.md`.
 */
import { describe, expect, test } from "bun:test"
import { DeviceSearch } from "../../src/engines/gpu/device-search.ts"
import { testDevice } from "../../src/engines/gpu/device-test.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { type PtxOptions, renderPtx } from "../../src/kernel/ptx/ptx-program.ts"
import { createWasmKernel } from "../../src/kernel/wasm/wasm-kernel.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { DEVICE } from "../engines/gpu/fake-compute.ts"
import { compiler, openTranslated } from "../support/ptx-to-c.ts"

const NONCES = Number(process.env["MISS_NONCES"] ?? 10_000_000)
/** Half of all hashes are below it, so one wrong result in two shows. */
const HALF = 2n ** 63n
const SHOWS = 2
/** Wrong results per nonce, computed. */
const COMPUTED = 1.2e-6

const BUILDS: readonly PtxOptions[] = [
  { groupSize: 128, form: "pairs", rolled: true },
  { groupSize: 128, form: "words" },
  { groupSize: 128, form: "multiplier", rolled: true },
]

const header = new Uint8Array(32).map((_, i) => 3 * i + 1)
const base = planeBase(new Uint8Array(64).map((_, i) => 7 * i + 5))

describe.each(BUILDS)("the PTX of %j, translated to C", options => {
  if (compiler === undefined) {
    test.skip("is right at the computed rate (skipped: no C compiler in PATH or $CC)", () => {})
    return
  }
  const open = () => {
    const search = new DeviceSearch("ptx", openTranslated(compiler!, renderPtx(options), DEVICE))
    search.geometry = { groupSize: 128, groups: 2 }
    return search
  }

  test("passes the self-test of a device", () => {
    expect(testDevice(open())).toBeUndefined()
  })

  test("is right at the computed rate", () => {
    const [tested, other] = [open(), createWasmKernel("wasm")]
    for (const kernel of [tested, other]) {
      kernel.preparePlane(spongeBeforeLast(header, base, state => other.permute(state)))
      kernel.setTarget(HALF)
    }
    const wrong = { tested: 0, other: 0 }
    for (let t0 = 0; t0 < NONCES / ROW; t0++) {
      const found = new Set(tested.hits.subarray(0, tested.searchRow(t0)))
      const expected = new Set(other.hits.subarray(0, other.searchRow(t0)))
      for (const t1 of found.symmetricDifference(expected)) {
        const hash = nonceHash(header, planeNonce(base, t0, t1))
        const isHit = new DataView(hash.buffer).getBigUint64(0) <= HALF
        if (found.has(t1) !== isHit) wrong.tested++
        else wrong.other++
      }
    }
    tested.close()
    const rate = ((SHOWS * wrong.tested) / NONCES).toExponential(1)
    console.log(`${JSON.stringify(options)} over ${NONCES} nonces: ${rate} wrong a nonce (${wrong.tested} seen)`)
    const expected = (COMPUTED * NONCES) / SHOWS
    expect(wrong.tested).toBeLessThan(expected + 4 * Math.sqrt(expected) + 1)
    expect(wrong.other).toBeLessThan(expected + 4 * Math.sqrt(expected) + 1)
  })
})
