/** Schedules that `tune` found on this machine, and the kernels rendered with them. */
import { createHash } from "node:crypto"
import { loadState, saveState } from "../../host/state-file.ts"
import type { BlockSchedule, Schedules } from "../../kernel/compiler/block-schedule.ts"
import type { RenderedKernel } from "../../kernel/x64/program/render.ts"
import { renderX64Kernel, shareKernel } from "../../kernel/x64/x64-kernel.ts"
import type { Log } from "../../log.ts"
import { renderedKernel } from "./kernels.ts"

/** Name of the file in the state directory. */
export const TUNINGS_FILE = "schedules.json"

/** The conditions under which tuned schedules are valid. */
export interface TuningKey {
  /** The CPU's model name. */
  readonly cpu: string
  /** The miner's version. */
  readonly version: string
}

export interface TunedSchedules {
  /** `digestOf` the kernel that the schedules were proven and timed with. */
  readonly digest: string
  /** Speed in units of the kernel's speed without them. */
  readonly gain: number
  readonly schedules: Schedules
}

/** By kernel. */
export type Tunings = Readonly<Record<string, TunedSchedules>>

/** @returns SHA-256 of a kernel's code and constants, in hexadecimal */
export const digestOf = ({ code }: RenderedKernel): string => createHash("sha256").update(code).digest("hex")

/** @returns the tunings stored in a file; none, with a line, if it is damaged or was made for another CPU or version */
export function loadTunings(path: string, key: TuningKey, log: Log): Tunings {
  const loaded = loadState({ path, field: FIELD, key: { ...key }, isValue: isTunings })
  if (loaded.kind === "valid") return loaded.value
  if (loaded.kind === "refused") log.warn(`${path} ${loaded.why} and is ignored: run quantus-miner tune again`)
  return {}
}

/** Adds a kernel's tuning to the file, or replaces it. @throws Node's error if the file cannot be written */
export function saveTuning(path: string, key: TuningKey, kernel: string, tuning: TunedSchedules, log: Log): void {
  saveState(path, FIELD, { ...key }, { ...loadTunings(path, key, log), [kernel]: tuning })
}

const FIELD = "kernels"

/**
 * Returns a function that renders a kernel, with its tuning if it has one, at the first call for its name. The function
 * throws UnsupportedKernel if the kernel cannot run on this machine.
 */
export function tunedRenderer(tunings: Tunings, log: Log): (kernel: string) => unknown {
  const rendered = new Map<string, unknown>()
  return kernel => {
    if (!Object.hasOwn(tunings, kernel)) return renderedKernel(kernel)
    if (!rendered.has(kernel)) rendered.set(kernel, renderTuned(kernel, tunings[kernel]!, log))
    return rendered.get(kernel)
  }
}

function renderTuned(kernel: string, { digest, schedules }: TunedSchedules, log: Log): unknown {
  const rendered = renderX64Kernel(kernel, { schedules })
  if (digestOf(rendered) === digest) return shareKernel(rendered)
  log.warn(`${kernel} has changed since it was tuned, so the result is not used: run quantus-miner tune again`)
  return renderedKernel(kernel)
}

function isTunings(value: unknown): value is Tunings {
  return (
    isRecord(value) &&
    Object.values(value).every(
      tuning =>
        isRecord(tuning) &&
        typeof tuning["digest"] === "string" &&
        typeof tuning["gain"] === "number" &&
        isRecord(tuning["schedules"]) &&
        Object.values(tuning["schedules"]).every(isBlockSchedule),
    )
  )
}

const isBlockSchedule = (value: unknown): value is BlockSchedule =>
  isRecord(value) &&
  ["window", "pressure", "later"].every(name => value[name] === undefined || Number.isFinite(value[name])) &&
  (value["shifts"] === undefined || (Array.isArray(value["shifts"]) && value["shifts"].every(isShift)))

const isShift = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 4 && value.every(Number.isFinite) && value[0] >= 0

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
