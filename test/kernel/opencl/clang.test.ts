/** Compiles the OpenCL text with LLVM for AMD's architectures. `scripts/amd-counts.ts` covers more of them. */
import { describe, expect, test } from "bun:test"
import { clang, compileGcn, LLVM, llvmVersion } from "../../../scripts/gcn.ts"

describe("LLVM for AMD", () => {
  if (clang === undefined) {
    test.skip(`compiles the search (skipped: no clang-${LLVM} in PATH or $CLANG; apt has clang-${LLVM})`, () => {})
    return
  }
  console.log(`LLVM ${llvmVersion(clang)}`)
  test.each(["gfx1030", "gfx1100"])(
    "compiles the rolled search for %s into 28,500 vector instructions and 32 KiB",
    architecture => {
      const { counts, vectorRegisters, scratch, bytes } = compileGcn(clang!, { rolled: true }, architecture)
      expect(counts.vector).toBeLessThanOrEqual(28_500)
      expect(vectorRegisters).toBeLessThanOrEqual(96)
      expect(scratch).toBe(0)
      expect(bytes).toBeLessThanOrEqual(32 * 1024)
    },
    120_000,
  )

  test.each(["gfx906", "gfx90a", "gfx1200"])(
    "compiles the rolled search for %s into 32 KiB",
    architecture => {
      const { scratch, bytes } = compileGcn(clang!, { rolled: true }, architecture)
      expect(scratch).toBe(0)
      expect(bytes).toBeLessThanOrEqual(32 * 1024)
    },
    120_000,
  )
})
