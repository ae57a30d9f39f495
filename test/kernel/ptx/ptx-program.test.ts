/** The kernels of the PTX module, run by a PTX interpreter. */
import { describe, expect, test } from "bun:test"
import { DEVICE_KERNELS, HITS } from "../../../src/kernel/device-program.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../../../src/kernel/nonce-plane.ts"
import { type PtxOptions, renderPtx } from "../../../src/kernel/ptx/ptx-program.ts"
import { P } from "../../../src/pow/field.ts"
import { nonceHash } from "../../../src/pow/nonce-hash.ts"
import { permute } from "../../../src/pow/poseidon2.ts"
import { PtxMachine } from "./ptx-interpreter.ts"

const HITS_AT = 0
const ROWS_AT = 8192
const COLUMNS_AT = ROWS_AT + 4096

const header = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1)
const nonce = Uint8Array.from({ length: 64 }, (_, i) => 251 - 3 * i)

const permuteInPlace = (state: BigUint64Array) => state.set(permute([...state].map(x => x % P)))
const topOf = (nonce: Uint8Array) => new DataView(nonceHash(header, nonce).buffer).getBigUint64(0)

const BUILDS: readonly PtxOptions[] = [
  { groupSize: 64 },
  { groupSize: 64, rolled: true },
  { groupSize: 64, form: "multiplier", rolled: true },
]

describe.each(BUILDS)("the module of %j", options => {
  const machine = new PtxMachine(renderPtx(options), COLUMNS_AT + 256 * 96)

  function hits(): number[] {
    const count = machine.memory.getUint32(HITS_AT, true)
    return Array.from({ length: Math.min(count, HITS) }, (_, i) => machine.memory.getUint32(HITS_AT + 4 + 4 * i, true))
  }

  test("the module contains every kernel of the program", () => {
    for (const name of DEVICE_KERNELS) expect(() => machine.launch(name, 0, 0, [])).toThrow("wrong number of arguments")
  })

  test("permutes like the reference", () => {
    const state = [0n, 1n, P - 1n, P, 2n ** 64n - 1n, 5n, 6n, 7n, 2n ** 32n, 9n, 2n ** 63n, 11n]
    machine.launch("permute", 1, 1, [...state, BigInt(ROWS_AT)])
    const result = state.map((_, i) => machine.memory.getBigUint64(ROWS_AT + 8 * i, true))
    expect(result).toEqual(permute(state.map(x => x % P)))
  })

  test("finds exactly the nonces of a row at or below the target", () => {
    const base = planeBase(nonce)
    const state = [...spongeBeforeLast(header, base, permuteInPlace)]
    const [t0, t1s] = [12_345, [0, 1, 77, 255]]
    machine.launch("columns", 2, 3, [...state, BigInt(COLUMNS_AT)])
    machine.launch("rows", 1, 2, [...state, t0, 1, BigInt(ROWS_AT)])
    // In a launch of one row every thread has one nonce. Running some of the threads is enough here.
    for (const t1 of t1s) {
      const top = topOf(planeNonce(base, t0, t1))
      for (const [target, found] of [
        [top, [t1]],
        [top - 1n, []],
      ] as const) {
        machine.memory.setUint32(HITS_AT, 0, true)
        machine.launchThread("search", 4, 64, t1, [BigInt(ROWS_AT), BigInt(COLUMNS_AT), 1, target, BigInt(HITS_AT)])
        expect(hits()).toEqual([...found])
      }
    }
  })

  test("finds exactly the nonces of a range at or below the target", () => {
    const first = 0xffff_fff0
    const view = new DataView(nonce.buffer)
    view.setUint32(60, 0)
    const state = [...spongeBeforeLast(header, nonce, permuteInPlace)]
    const tops = Array.from({ length: 3 }, (_, i) => {
      view.setUint32(60, first + i)
      return topOf(nonce)
    })
    for (const target of [tops[0]!, tops[2]! - 1n]) {
      machine.memory.setUint32(HITS_AT, 0, true)
      machine.launch("range", 1, 2, [...state, first, 3, target, BigInt(HITS_AT)])
      expect(hits().sort()).toEqual(tops.flatMap((top, i) => (top <= target ? [i] : [])))
    }
  })

  test("counts hits beyond the capacity of the hit buffer", () => {
    const state = [...spongeBeforeLast(header, nonce, permuteInPlace)]
    machine.memory.setUint32(HITS_AT, HITS, true)
    machine.memory.setUint32(HITS_AT + 4 * (HITS + 1), 77, true)
    machine.launch("range", 1, 1, [...state, 0, 1, 2n ** 64n - 1n, BigInt(HITS_AT)])
    expect(machine.memory.getUint32(HITS_AT, true)).toBe(HITS + 1)
    expect(machine.memory.getUint32(HITS_AT + 4 * (HITS + 1), true)).toBe(77)
  })
})
