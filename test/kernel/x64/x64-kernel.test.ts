import { expect, test } from "bun:test"
import { selfTest } from "../../../src/engines/self-test.ts"
import { CORE_SCHEDULES, coreSchedules } from "../../../src/kernel/x64/program/core-schedules.ts"
import { renderKernel } from "../../../src/kernel/x64/program/render.ts"
import { renderTargetOf, VARIANTS, type Variant, variantsFor } from "../../../src/kernel/x64/program/render-targets.ts"
import {
  type CpuIdentity,
  cpuFeatures,
  cpuIdentity,
  identify,
  type ReadCpuid,
} from "../../../src/kernel/x64/runtime/cpuid.ts"
import {
  createX64Kernel,
  loadKernel,
  renderX64Kernel,
  shareKernel,
  type X64KernelName,
} from "../../../src/kernel/x64/x64-kernel.ts"
import { refusalOf } from "../../support/kernels.ts"
import { kernelSuite } from "../kernel-suite.ts"

const VECTOR_NAMES = ["avx512", "avx512-limbs", "avx2"] as const
const NAMES: readonly X64KernelName[] = [...VECTOR_NAMES, "scalar"]

/** Kernels with vectors are also tested without integer nonces, because separate steps then compute what all nonces share. */
const TESTED: readonly [string, Pick<Variant, "engine" | "target">][] = [
  ...Object.entries(VARIANTS),
  ...VECTOR_NAMES.map((engine): [string, Pick<Variant, "engine" | "target">] => [
    `${engine}:0`,
    { engine, target: renderTargetOf(engine, 0) },
  ]),
]

for (const [name, { engine, target }] of TESTED) {
  const rendered = renderKernel(target)
  const isUsable = refusalOf(engine) === undefined && [...rendered.needs].every(need => cpuFeatures().has(need))
  if (name !== engine && isUsable) kernelSuite(name, async () => loadKernel(name, rendered))
}

/** With the schedules found on measured cores, which run on any CPU that has the features. */
for (const { core, kernels } of CORE_SCHEDULES) {
  for (const [name, schedules] of Object.entries(kernels))
    if (refusalOf(VARIANTS[name]!.engine) === undefined)
      kernelSuite(`${name}@${core}`, async () => loadKernel(name, renderX64Kernel(name, { schedules })))
}

test("the schedules of a core apply on that core only", () => {
  const cpu = (family: number) => ({
    name: "",
    vendor: "AuthenticAMD",
    family,
    features: new Set(["avx2", "avx512f"] as const),
  })
  expect(Object.keys(coreSchedules("avx512", cpu(0x19)))).not.toEqual([])
  expect(coreSchedules("avx512", cpu(0x1a))).toEqual({})
  expect(coreSchedules("avx512", { ...cpu(0x19), vendor: "GenuineIntel" })).toEqual({})
  expect(coreSchedules("avx2:2", cpu(0x19))).toEqual({})
})

for (const name of NAMES) {
  const why = refusalOf(name)
  if (why === undefined) kernelSuite(name, async () => createX64Kernel(name))
  else
    test(`kernel ${name} is refused with a one-line reason: ${why}`, () => {
      expect(why).toMatch(/^this (CPU has no [A-Z0-9, ]+|machine is not x86-64)$|^(no|the) /)
    })
}

for (const name of NAMES.filter(name => refusalOf(name) === undefined)) {
  test(`${name}: threads share one copy of the code, each with its own context`, () => {
    const rendered = renderKernel(VARIANTS[name]!.target)
    const shared = shareKernel(rendered)
    // What a worker receives.
    const [a, b] = [0, 1].map(() => loadKernel(name, structuredClone(shared)))
    a!.setTarget(2n ** 64n - 1n)
    b!.setTarget(0n)
    for (const kernel of [a!, b!]) kernel.preparePlane(new BigUint64Array(12))
    expect([a!.searchRow(0), b!.searchRow(0)]).toEqual([a!.row, 0])
    a!.close()
    expect(selfTest(b!)).toBeUndefined()
    b!.close()
    expect(shareKernel(rendered).address).not.toBe(shared.address)
  })
}

test.each([
  ["AuthenticAMD", 0x19, ["avx512"], ["avx2"], ["avx512-limbs"]],
  ["AuthenticAMD", 0x1a, ["avx512"], ["avx2", "avx2:2"], ["avx512-limbs"]],
  ["HygonGenuine", 0x18, ["avx512"], ["avx2"], ["avx512-limbs"]],
  ["GenuineIntel", 6, ["avx512", "avx512:2"], ["avx2", "avx2:2"], ["avx512-limbs", "avx512-limbs:0"]],
])(
  "a start on %s, family %i, measures the variants that may be fastest there",
  (vendor, family, avx512, avx2, limbs) => {
    const cpu = { name: "", vendor, family, features: new Set<never>() }
    expect(["avx512", "avx2", "avx512-limbs"].map(engine => variantsFor(engine, cpu))).toEqual([avx512, avx2, limbs])
  },
)

test("a start measures the integer kernel with BMI2 where the CPU has that", () => {
  const cpu = { name: "", vendor: "GenuineIntel", family: 6 }
  expect(variantsFor("scalar", { ...cpu, features: new Set() })).toEqual(["scalar"])
  expect(variantsFor("scalar", { ...cpu, features: new Set(["bmi2"]) })).toEqual(["scalar", "scalar:bmi2"])
})

test("the integer kernel needs no CPU feature, its variant needs BMI2", () => {
  expect([...renderKernel(VARIANTS["scalar"]!.target).needs]).toEqual([])
  expect([...renderKernel(VARIANTS["scalar:bmi2"]!.target).needs]).toEqual(["bmi2"])
})

test("the vendor and the extended family are read from leaves 0 and 1", () => {
  const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 }
  const read: ReadCpuid = leaf =>
    leaf === 0
      ? { eax: 1, ebx: 0x68747541, edx: 0x69746e65, ecx: 0x444d4163 }
      : leaf === 1
        ? { ...none, eax: 0x00a10f11 }
        : none
  expect(identify(read)).toMatchObject({ vendor: "AuthenticAMD", family: 0x19 })
  expect(identify(leaf => (leaf === 1 ? { ...none, eax: 0x000806f8 } : none)).family).toBe(6)
})

test.skipIf(process.arch !== "x64")("the CPU reports its name and features", () => {
  const { name, features }: CpuIdentity = cpuIdentity()
  expect(name).not.toBe("")
  if (features.has("avx512f")) expect(features.has("avx2")).toBe(true)
})

test("vector features are reported only if the operating system saves the registers", () => {
  const cpu =
    (xcr0: number): ReadCpuid =>
    leaf =>
      leaf === "xcr0"
        ? { eax: xcr0, ebx: 0, ecx: 0, edx: 0 }
        : { eax: leaf === 0 ? 7 : 0, ebx: leaf === 7 ? -1 : 0, ecx: leaf === 1 ? 1 << 27 : 0, edx: 0 }
  const features = (xcr0: number) => [...identify(cpu(xcr0)).features].sort()
  expect(features(0b11)).toEqual(["bmi2"])
  expect(features(0b111)).toEqual(["avx2", "bmi2"])
  expect(features(0xe7)).toEqual(["avx2", "avx512bw", "avx512f", "avx512ifma", "bmi2"])
})
