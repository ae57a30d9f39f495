/** Known answers before mining, on the device itself: what a CPU's kernel has to pass, and some thousand nonces more. */
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { planeBase, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import { createWasmKernel } from "../../kernel/wasm/wasm-kernel.ts"
import { selfTest } from "../self-test.ts"
import type { DeviceSearch } from "./device-search.ts"

/** Rows, and how many of their nonces are to be candidates. */
const ROWS = 32
const FIRST_ROW = 54_321
const TOP = 2n ** 64n / 32n

/**
 * Compares the device with the reference: its vectors and known nonces, then 8,192 nonces of one launch with what the
 * portable kernel, itself held against the reference, finds among them.
 * @returns what is wrong, a part of a sentence; undefined where nothing is
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
  return same ? undefined : `other candidates in a launch than there are: ${found.length} for ${expected.length}`
}
