/** The self-test of a device: the self-test of every kernel, then a launch of 8,192 nonces. */
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { planeBase, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import { createWasmKernel } from "../../kernel/wasm/wasm-kernel.ts"
import { selfTest } from "../self-test.ts"
import type { DeviceSearch } from "./device-search.ts"

/** The rows of the launch. */
const ROWS = 32
const FIRST_ROW = 54_321

/** The target's top 64 bits: one nonce in 32 is a candidate. */
const TOP = 2n ** 64n / 32n

/**
 * Compares the device with the published vectors and with known nonces, then a launch with the result of the portable
 * WebAssembly kernel.
 * @returns the first difference, as part of a sentence; undefined if all results agree
 */
export function testDevice(search: DeviceSearch): string | undefined {
  return selfTest(search) ?? testLaunch(search)
}

function testLaunch(search: DeviceSearch): string | undefined {
  const kernel = createWasmKernel("wasm-narrow")
  const base = planeBase(Uint8Array.from({ length: 64 }, (_, i) => (167 * i + 13) & 0xff))
  const header = Uint8Array.from({ length: 32 }, (_, i) => (59 * i + 7) & 0xff)
  const state = spongeBeforeLast(header, base, s => kernel.permute(s))
  const prepare = (kernel: Kernel) => {
    kernel.setTarget(TOP)
    kernel.preparePlane(state)
  }
  prepare(kernel)
  prepare(search)
  const expected = Array.from({ length: ROWS }, (_, i) => {
    const found = kernel.searchRow(FIRST_ROW + i)
    return [...kernel.hits.subarray(0, found)].map(t1 => i * ROW + t1)
  }).flat()
  const found = [...search.take(search.launchRows(FIRST_ROW, ROWS))]
  const same = found.length === expected.length && found.every((index, i) => index === expected[i])
  return same ? undefined : `wrong candidates in a launch: found ${found.length}, expected ${expected.length}`
}
