/** Schedules that a search found (`quantus-miner tune`), by the core that they were measured on. */
import type { Schedules } from "../../compiler/block-schedule.ts"
import { type CpuIdentity, isAmd } from "../runtime/cpuid.ts"
import zen4 from "./zen4-schedules.json" with { type: "json" }

interface CoreRow {
  readonly core: string
  matches(cpu: CpuIdentity): boolean
  /** By kernel. */
  readonly kernels: Readonly<Record<string, Schedules>>
}

/** Family 0x19 is Zen 3, without AVX-512, and Zen 4. */
const isZen4 = (cpu: CpuIdentity): boolean => isAmd(cpu) && cpu.family === 0x19 && cpu.features.has("avx512f")

export const CORE_SCHEDULES: readonly CoreRow[] = [
  { core: "zen4", matches: isZen4, kernels: zen4 as unknown as CoreRow["kernels"] },
]

/** @returns the changes to a kernel's schedules for this CPU; none for a core that was not measured */
export const coreSchedules = (kernel: string, cpu: CpuIdentity): Schedules =>
  CORE_SCHEDULES.find(({ matches }) => matches(cpu))?.kernels[kernel] ?? {}
