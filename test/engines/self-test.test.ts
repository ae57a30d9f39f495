import { describe, expect, test } from "bun:test"
import { createKernel, KERNELS } from "../../src/engines/cpu/kernels.ts"
import { answersDigest, selfTest } from "../../src/engines/self-test.ts"
import type { Kernel } from "../../src/kernel/kernel.ts"
import { createWasmKernel } from "../../src/kernel/wasm/wasm-kernel.ts"
import { refusalOf } from "../support/kernels.ts"

const wasm = createWasmKernel("wasm")

/** The WebAssembly kernel with something wrong. */
const changed = (changes: Partial<Kernel>): Kernel => ({
  name: wasm.name,
  row: wasm.row,
  hits: wasm.hits,
  permute: state => wasm.permute(state),
  setTarget: top => wasm.setTarget(top),
  preparePlane: state => wasm.preparePlane(state),
  searchRow: t0 => wasm.searchRow(t0),
  prepareRange: state => wasm.prepareRange(state),
  searchRange: (first, count) => wasm.searchRange(first, count),
  close: () => {},
  ...changes,
})

test("the stored digest is that of the reference's results", () => {
  expect(selfTest(wasm)).toBeUndefined()
  const digest = answersDigest()
  expect(answersDigest(state => state.toReversed())).not.toBe(digest)
  // A kernel whose permutation is the reference's passes by the digest in the source, so that digest is this one.
  expect(
    answersDigest(state => {
      const elements = BigUint64Array.from(state)
      wasm.permute(elements)
      return [...elements]
    }),
  ).toBe(digest)
}, 20_000)

describe("kernels that can run here pass", () => {
  for (const name of Object.keys(KERNELS)) {
    const why = refusalOf(name)
    test.skipIf(why !== undefined)(why ? `${name} (skipped: ${why})` : name, () => {
      const kernel = createKernel(name)
      expect(selfTest(kernel)).toBeUndefined()
      kernel.close()
    })
  }
})

describe("a kernel is refused", () => {
  let top = 0n
  const cases: [what: string, kernel: Kernel, why: RegExp][] = [
    [
      "whose permutation is wrong for one state in 64",
      changed({
        permute: state => {
          const wrong = state[0]! % 64n === 0n
          wasm.permute(state)
          if (wrong) state[0] = state[0]! ^ 1n
        },
      }),
      /^a wrong hash /,
    ],
    ["that overlooks one candidate of a row", changed({ searchRow: t0 => Math.max(0, wasm.searchRow(t0) - 1) }), /row/],
    ["that searches another row", changed({ searchRow: t0 => wasm.searchRow(t0 + 1) }), /row/],
    [
      "that excludes the target itself",
      changed({
        setTarget: value => {
          top = value
          wasm.setTarget(top === 2n ** 64n - 1n ? top : top - 1n)
        },
      }),
      /row/,
    ],
    [
      "that is one off in a range",
      changed({ searchRange: (first, count) => wasm.searchRange(first + 1, count) }),
      /range/,
    ],
  ]
  for (const [what, kernel, why] of cases) {
    test(what, () => expect(selfTest(kernel)).toMatch(why))
  }
})
