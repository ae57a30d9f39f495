/** Identifies the CPU with CPUID and XGETBV, which run as generated code. */

import { mapPages } from "../../native/memory.ts"
import { Assembler } from "../assembler/assembler.ts"
import { immediate, memory, type Register, r32, r64, rax, rbx, rcx, rdi, rdx } from "../assembler/operands.ts"
import type { Feature } from "../assembler/table.ts"
import { loadX64Code } from "./load-x64.ts"

type RegisterName = "eax" | "ebx" | "ecx" | "edx"

export interface CpuIdentity {
  /** e.g. "AMD EPYC 7763 64-Core Processor" */
  readonly name: string
  /** e.g. "AuthenticAMD", "GenuineIntel" */
  readonly vendor: string
  /** Family, including the extended family: 0x19 for Zen 3 and Zen 4, 0x1a for Zen 5, 6 for Intel's. */
  readonly family: number
  readonly features: ReadonlySet<Feature>
}

/** Leaf, register and bit of each feature; the subleaf is 0 (Intel SDM vol. 2A, CPUID). */
const BITS: Readonly<Record<Feature, readonly [leaf: number, register: RegisterName, bit: number]>> = {
  bmi2: [7, "ebx", 8],
  avx2: [7, "ebx", 5],
  avx512f: [7, "ebx", 16],
  avx512ifma: [7, "ebx", 21],
  avx512bw: [7, "ebx", 30],
}

/** XCR0 bits of the register state that the operating system must save. */
const YMM_STATE = 0b110
const ZMM_STATE = 0b1110_0110

export const isAmd = ({ vendor }: CpuIdentity): boolean => vendor === "AuthenticAMD" || vendor === "HygonGenuine"

let known: CpuIdentity | undefined

/** @returns name and features of this CPU, read once @throws UnsupportedKernel if the system refuses executable memory */
export function cpuIdentity(): CpuIdentity {
  known ??= identify(readCpuid)
  return known
}

/** @returns the features that kernels can use on this CPU @throws as `cpuIdentity` */
export const cpuFeatures = (): ReadonlySet<Feature> => cpuIdentity().features

/** @returns the registers after CPUID with subleaf 0, or after XGETBV for the leaf "xcr0" */
export type ReadCpuid = (leaf: number | "xcr0") => Record<RegisterName, number>

/** @returns name and features; vector features are reported only if the operating system saves their registers */
export function identify(read: ReadCpuid): CpuIdentity {
  const osSaves = (read(1).ecx & (1 << 27)) !== 0 ? read("xcr0").eax : 0
  const leaf7 = read(0).eax >= 7 ? read(7) : undefined
  const features = (Object.keys(BITS) as Feature[]).filter(feature => {
    const [, register, bit] = BITS[feature]
    const needed = feature === "bmi2" ? 0 : feature.startsWith("avx512") ? ZMM_STATE : YMM_STATE
    return leaf7 !== undefined && (leaf7[register] & (1 << bit)) !== 0 && (osSaves & needed) === needed
  })
  return { name: brand(read), vendor: vendor(read), family: family(read(1).eax), features: new Set(features) }
}

function vendor(read: ReadCpuid): string {
  const { ebx, edx, ecx } = read(0)
  return Buffer.from(Int32Array.of(ebx, edx, ecx).buffer).toString("latin1")
}

/** @param signature eax of leaf 1 */
function family(signature: number): number {
  const base = (signature >> 8) & 0xf
  return base === 0xf ? base + ((signature >> 20) & 0xff) : base
}

function brand(read: ReadCpuid): string {
  if (read(0x80000000).eax >>> 0 < 0x80000004) return "unknown CPU"
  const words = [0x80000002, 0x80000003, 0x80000004].flatMap(leaf => {
    const { eax, ebx, ecx, edx } = read(leaf)
    return [eax, ebx, ecx, edx]
  })
  return Buffer.from(Int32Array.from(words).buffer).toString("latin1").replace(/\0.*$/s, "").trim()
}

/** Generates and calls code that reads the leaf from, and writes eax … edx to, the memory at rdi. */
const readCpuid: ReadCpuid = leaf => {
  const assembler = new Assembler()
  assembler.emit("push", [rbx])
  assembler.emit("mov", [rax, memory(rdi)])
  assembler.emit("mov", [rcx, immediate(0)])
  assembler.emit(leaf === "xcr0" ? "xgetbv" : "cpuid")
  const results: readonly Register[] = [rax, rbx, rcx, rdx]
  results.forEach((register, i) => {
    assembler.emit("mov", [memory(rdi, 4 * i), r32(register.n)])
  })
  assembler.emit("pop", [r64(rbx.n)])
  assembler.emit("ret")
  const pages = mapPages(16)
  const code = loadX64Code(assembler.finish())
  try {
    const words = new Uint32Array(pages.buffer, 0, 4)
    words[0] = leaf === "xcr0" ? 0 : leaf
    words[1] = 0
    code.entry(0)(pages.address)
    const [eax, ebx, ecx, edx] = [...words] as [number, number, number, number]
    return { eax, ebx, ecx, edx }
  } finally {
    code.free()
    pages.free()
  }
}
