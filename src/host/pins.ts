/** Which CPUs workers are pinned to: what was asked for, as far as this process may use it. */
import type { Log } from "../log.ts"
import { formatCpulist } from "./cpulist.ts"

export interface PinOptions {
  /** CPUs in the order given; `auto`: every effective one; `none`: workers are not pinned. */
  readonly asked: "auto" | "none" | readonly number[]
  /** The effective CPUs, the best to take first. */
  readonly effective: readonly number[]
  readonly log: Log
}

/** CPUs for the workers, one after the other and over again; undefined where they are not to be pinned. */
export function pinsFor({ asked, effective, log }: PinOptions): readonly number[] | undefined {
  if (asked === "none") return undefined
  if (asked === "auto") return effective
  const pins = asked.filter(cpu => effective.includes(cpu))
  if (pins.length === asked.length) return pins
  const outside = formatCpulist(asked.filter(cpu => !effective.includes(cpu)))
  const what = `--cpu-affinity ${formatCpulist(asked)} names CPUs that are not among the effective ones: ${outside}`
  if (pins.length === 0) log.warn(`${what}; the workers are not pinned`)
  else log.warn(`${what}; the workers are pinned to ${formatCpulist(pins)}`)
  return pins.length === 0 ? undefined : pins
}
