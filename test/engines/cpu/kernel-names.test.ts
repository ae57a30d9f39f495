import { expect, test } from "bun:test"
import { ALL_KERNELS, aboutKernel, kernelNames } from "../../../src/engines/cpu/kernels.ts"

test("an architecture's kernels are its own and those of every architecture", () => {
  const [x64, arm64, other] = ["x64", "arm64", "riscv64"].map(kernelNames)
  expect(x64).toEqual(expect.arrayContaining(["avx512", "avx2", "wasm"]))
  expect(x64!.filter(name => name.startsWith("arm64"))).toEqual([])
  expect(arm64!.filter(name => name.startsWith("avx"))).toEqual([])
  expect(other).toEqual(["wasm", "wasm-narrow"])
})

test("every kernel is described, variants as their engine", () => {
  expect(Object.keys(ALL_KERNELS).filter(name => aboutKernel(name) === undefined)).toEqual([])
  expect(aboutKernel("avx2:2")).toBe(aboutKernel("avx2"))
})
