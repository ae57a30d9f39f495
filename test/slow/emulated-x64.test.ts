/**
 * Kernels on CPUs that the machine may not have, emulated: the emitted code itself, against the specification. An
 * instruction that the CPU lacks stops the emulator.
 */
import { describe, expect, test } from "bun:test"
import { planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { type RenderedKernel, renderKernel } from "../../src/kernel/x64/program/render.ts"
import { avx512, avx512Limbs, scalar, scalarBmi2 } from "../../src/kernel/x64/program/render-targets.ts"
import { P } from "../../src/pow/field.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { permute } from "../../src/pow/poseidon2.ts"
import { bochsMissing, type EmulatedCpu, HASWELL, ICE_LAKE, type Job, runBochs, SANDY_BRIDGE } from "./bochs.ts"

const CODE = 0x200000
const CONTEXT = 0x400000

const why = bochsMissing()

describe.skipIf(why !== undefined)(`kernels in Bochs${why ? ` (skipped: ${why})` : ""}`, () => {
  const kernels: [string, EmulatedCpu, () => RenderedKernel][] = [
    ["avx512", ICE_LAKE, () => renderKernel(avx512)],
    ["avx512-limbs", ICE_LAKE, () => renderKernel(avx512Limbs)],
    ["scalar", SANDY_BRIDGE, () => renderKernel(scalar)],
    ["scalar:bmi2", HASWELL, () => renderKernel(scalarBmi2)],
  ]
  test.each(kernels)("%s", async (_, cpu, render) => {
    const { code, layout, entries, lanes: laneSets } = render()
    const row = layout.rowColumns
    const place = (offset: number, words: readonly bigint[]): Job => ({
      kind: "place",
      bytes: new Uint8Array(BigUint64Array.from(words).buffer),
      address: CONTEXT + offset,
    })
    const call = (entry: keyof typeof entries): Job => ({
      kind: "call",
      code: CODE + entries[entry],
      argument: CONTEXT,
    })
    const send = (offset: number, length: number): Job => ({ kind: "send", address: CONTEXT + offset, length })

    const edges = [0n, 1n, P - 1n, P, P + 1n, 2n ** 64n - 1n, 2n ** 32n - 1n, 2n ** 32n]
    const states = Array.from({ length: 24 }, (_, i) =>
      Array.from({ length: 12 }, (_, j) => (i < 8 ? edges[(i * j + j) % 8]! : word(12 * i + j))),
    )
    const outputBytes = 12 * 8
    const header = new Uint8Array(32).map((_, i) => i * 37)
    const base = planeBase(new Uint8Array(64).map((_, i) => i * 91))
    const sponge = spongeBeforeLast(header, base, state => state.set(permute([...state])))
    const t0 = 12345
    const tops = Array.from({ length: row }, (_, t1) => top(header, planeNonce(base, t0, t1)))
    const target = tops.toSorted((a, b) => (a < b ? -1 : 1))[row / 2]!
    const first = 2 ** 32 - row
    const rangeBase = base.slice()
    rangeBase.fill(0, 60)
    const rangeSponge = spongeBeforeLast(header, rangeBase, state => state.set(permute([...state])))
    const rangeTops = Array.from({ length: row }, (_, i) => {
      new DataView(rangeBase.buffer).setUint32(60, first + i)
      return top(header, rangeBase)
    })

    const maskBytes = layout.rowBatches * laneSets.length * 4

    const sent = await runBochs(
      cpu,
      [
        { kind: "place", bytes: code, address: CODE },
        ...states.flatMap(state => [place(layout.input, state), call("permute"), send(layout.output, outputBytes)]),
        place(layout.target, [target ^ (1n << 63n)]),
        place(layout.first, [BigInt(t0)]),
        place(layout.input, [...sponge]),
        call("preparePlane"),
        call("searchRow"),
        send(layout.results, maskBytes),
        place(layout.first, [BigInt(first)]),
        place(layout.batches, [BigInt(layout.rowBatches)]),
        place(layout.input, [...rangeSponge]),
        call("searchRange"),
        send(layout.results, maskBytes),
      ],
      240,
    )
    const view = new DataView(sent.buffer)
    states.forEach((state, i) => {
      const wanted = permute(state.map(x => x % P))
      expect(wanted.map((_, j) => view.getBigUint64(i * outputBytes + 8 * j, true))).toEqual(wanted)
    })
    const masks = (from: number) =>
      Array.from({ length: layout.rowBatches }, (_, batch) =>
        laneSets.flatMap((count, u) => {
          const bits = view.getUint32(from + 4 * (batch * laneSets.length + u), true)
          return Array.from({ length: count }, (_, lane) => (bits & (1 << lane)) === 0)
        }),
      ).flat()
    const rowMasks = states.length * outputBytes
    expect(masks(rowMasks)).toEqual(tops.map(value => value <= target))
    expect(masks(rowMasks + maskBytes)).toEqual(rangeTops.map(value => value <= target))
  })
})

const top = (header: Uint8Array, nonce: Uint8Array) => new DataView(nonceHash(header, nonce).buffer).getBigUint64(0)

/** Words without a pattern. */
function word(n: number): bigint {
  let z = BigInt.asUintN(64, BigInt(n + 1) * 0x9e3779b97f4a7c15n)
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}
