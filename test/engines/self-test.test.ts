import { describe, expect, test } from "bun:test"
import { createKernel, KERNELS } from "../../src/engines/cpu/kernels.ts"
import { KNOWN_RANGE, KNOWN_ROW } from "../../src/engines/known-hashes.ts"
import { selfTest } from "../../src/engines/self-test.ts"
import { beginRoutine as beginArm64Routine } from "../../src/kernel/arm64/render.ts"
import { RECIPES } from "../../src/kernel/arm64/targets.ts"
import { type Kernel, ROW } from "../../src/kernel/kernel.ts"
import { createWasmKernel } from "../../src/kernel/wasm/wasm-kernel.ts"
import { beginRoutine } from "../../src/kernel/x64/program/render.ts"
import { VARIANTS } from "../../src/kernel/x64/program/render-targets.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
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

test.each([
  ["row", KNOWN_ROW],
  ["range", KNOWN_RANGE],
])("the known hashes of the %s are the reference's", (_, { header, nonce, tops }) => {
  const hashes = tops.map((_, i) => nonceHash(header, nonce(i)))
  expect(tops).toEqual(hashes.map(hash => new DataView(hash.buffer).getBigUint64(0)))
})

test("the hashes of a whole row are known, whatever the kernel", () => {
  const rows = [...Object.values(VARIANTS).map(({ target }) => beginRoutine(target).layout.rowColumns)]
  for (const recipe of Object.values(RECIPES)) rows.push(beginArm64Routine(recipe).layout.rowColumns)
  expect(Math.max(...rows)).toBeGreaterThan(ROW)
  expect(Math.max(...rows)).toBeLessThanOrEqual(KNOWN_ROW.tops.length)
})

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
      "whose permutation is wrong for one state in four",
      changed({
        permute: state => {
          const wrong = state[0]! % 4n === 0n
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
