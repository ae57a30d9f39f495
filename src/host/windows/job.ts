/** The limit of CPU time of this process's job object, which containers and service managers set. */
import { openedOnce } from "../once.ts"
import { openLibrary } from "./libraries.ts"

/** JOBOBJECTINFOCLASS: JOBOBJECT_CPU_RATE_CONTROL_INFORMATION has two 32-bit fields, flags and a rate. */
const CPU_RATE_CONTROL = 15
const ENABLE = 0x1
const HARD_CAP = 0x4
const MIN_MAX_RATE = 0x10

/** A rate is a share of all CPUs in ten thousandths. */
const FULL_RATE = 10_000

const signatures = {
  QueryInformationJobObject: { args: ["u64", "i32", "ptr", "u32", "ptr"], returns: "i32" },
} as const

const kernel32 = openedOnce(() => openLibrary("kernel32.dll", signatures).symbols)

/** The quota in CPUs, may be fractional; undefined if the process is in no job, or the job has no upper limit. */
export function jobQuota(logicalCpus: number): number | undefined {
  const information = new Uint32Array(2)
  // Job 0 is the one that the calling process is in.
  if (!kernel32()?.QueryInformationJobObject(0, CPU_RATE_CONTROL, information, information.byteLength, null)) return
  return quotaOf(information[0]!, information[1]!, logicalCpus)
}

/** The limit in CPUs by the fields of JOBOBJECT_CPU_RATE_CONTROL_INFORMATION; undefined without an upper limit. */
export function quotaOf(flags: number, rate: number, logicalCpus: number): number | undefined {
  if ((flags & ENABLE) === 0) return undefined
  // With a minimum and a maximum, the latter is in the high half.
  const share = flags & MIN_MAX_RATE ? rate >>> 16 : flags & HARD_CAP ? rate : FULL_RATE
  return share > 0 && share < FULL_RATE ? (share / FULL_RATE) * logicalCpus : undefined
}
