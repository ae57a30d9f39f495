import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import type { Feature } from "../../../../src/kernel/x64/assembler/table.ts"
import { renderKernel } from "../../../../src/kernel/x64/program/render.ts"
import { avx2, avx512, avx512Limbs, scalar, scalarBmi2 } from "../../../../src/kernel/x64/program/render-targets.ts"
import { cpuFeatures } from "../../../../src/kernel/x64/runtime/cpuid.ts"
import { refusalOf } from "../../../support/kernels.ts"

const FEATURES: readonly Feature[] = ["avx2", "avx512bw", "avx512f", "avx512ifma", "bmi2"]
const TARGETS = { avx2, avx512, "avx512-limbs": avx512Limbs, scalar, "scalar:bmi2": scalarBmi2 } as const

describe.skipIf(process.platform !== "linux" || process.arch !== "x64")("with /proc/cpuinfo of x86-64 Linux", () => {
  const listed = () => new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))![1]!.split(" "))

  test("the detected features are those that the system lists", () => {
    const flags = listed()
    expect([...cpuFeatures()].sort()).toEqual(FEATURES.filter(feature => flags.has(feature)))
  })

  test.each(Object.entries(TARGETS))(
    "%s is accepted exactly if the system lists all features that it needs",
    (engine, target) => {
      const flags = listed()
      const { needs } = renderKernel(target)
      const isListed = [...needs].every(need => flags.has(need))
      expect(refusalOf(engine) === undefined).toBe(isListed)
    },
  )
})
