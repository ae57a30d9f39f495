/** Keeps the result of a calibration for the next start on the same machine. */
import { type Loaded, loadState, saveState } from "../../host/state-file.ts"
import type { Ranking } from "./rates.ts"

/** The conditions under which a calibration is valid. */
export interface CalibrationKey {
  /** The miner's version. */
  readonly version: string
  /** The CPU's model name and microcode; empty if unknown. */
  readonly cpu: string
  readonly microcode: string
  /** Instruction sets that kernels may use; they change with the hypervisor or the operating system. */
  readonly features: readonly string[]
  /** True if machine code could be generated; measurements without it do not apply to a start with it. */
  readonly native: boolean
  /** CPU time quota in CPUs; null if unlimited. */
  readonly quota: number | null
  /** The kernels to choose from. */
  readonly candidates: readonly string[]
  /** The requested number of workers, and the smaller number that was measured too. */
  readonly workers: readonly number[]
  /** Names of the kinds of core that workers are bound to; absent if the cores are alike. */
  readonly kinds?: readonly string[] | undefined
}

export interface Calibration {
  /** Kernels that passed the self-test, fastest first. */
  readonly kernels: Ranking
  /** The fastest number of workers. */
  readonly workers: number
  /** The kernels by kind of core; absent if the cores are alike. */
  readonly kinds?: readonly { readonly name: string; readonly kernels: Ranking }[]
}

export interface CalibrationCache {
  load(key: CalibrationKey): Loaded<Calibration>
  /** @throws Node's error if the file cannot be written */
  save(key: CalibrationKey, calibration: Calibration): void
}

const FIELD = "calibration"

/** @param path JSON file that holds the latest calibration only */
export const fileCache = (path: string): CalibrationCache => ({
  load: key => {
    const isValue = (value: unknown): value is Calibration => isCalibration(value, key)
    return loadState({ path, field: FIELD, key: { ...key }, isValue })
  },
  save: (key, calibration) => saveState(path, FIELD, { ...key }, calibration),
})

/** An edited or damaged calibration must not start workers that the machine has no CPUs for, or unknown kernels. */
function isCalibration(value: unknown, key: CalibrationKey): value is Calibration {
  if (!isRecord(value)) return false
  const { kernels, workers, kinds = [] } = value
  if (!key.workers.includes(workers as number) || !isRanking(kernels, key) || !Array.isArray(kinds)) return false
  const names = key.kinds ?? []
  return (
    kinds.length === names.length &&
    kinds.every((kind, i) => isRecord(kind) && kind["name"] === names[i] && isRanking(kind["kernels"], key))
  )
}

const isRanking = (value: unknown, key: CalibrationKey): value is Ranking =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(kernel => {
    const { name, hashesPerSecond } = isRecord(kernel) ? kernel : {}
    return (
      key.candidates.includes(name as string) && Number.isFinite(hashesPerSecond) && (hashesPerSecond as number) > 0
    )
  })

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null
