import { expect, test } from "bun:test"
import { ABOUT, KERNELS, kernelNames } from "../../../src/engines/cpu/kernels.ts"

test("an architecture's kernels are its own and those of every architecture", () => {
  const [x64, arm64, other] = ["x64", "arm64", "riscv64"].map(kernelNames)
  expect(x64).toEqual(expect.arrayContaining(["avx512", "avx2", "wasm"]))
  expect(x64!.filter(name => name.startsWith("arm64"))).toEqual([])
  expect(arm64!.filter(name => name.startsWith("avx"))).toEqual([])
  expect(other).toEqual(["wasm", "wasm-narrow"])
})

test("every engine is described", () => {
  expect(Object.keys(ABOUT)).toEqual(expect.arrayContaining(Object.keys(KERNELS)))
})
