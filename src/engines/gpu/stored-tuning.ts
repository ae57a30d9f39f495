/** The tuning of a device in the state directory. */
import { join } from "node:path"
import { loadState, saveState } from "../../host/state-file.ts"
import { deviceKey, type GpuDevice } from "./device.ts"
import type { Tuning } from "./tuning.ts"

export interface StoreOptions {
  /** Directory of the stored tunings; undefined disables storing. */
  readonly stateDir: string | undefined
  /** Version of the miner; a tuning of another version is not used. */
  readonly version: string
}

/** The tuning's field of the state file. */
const FIELD = "tuning"

/**
 * Loads the stored tuning; undefined if it is absent, or damaged or made under other facts.
 * @param refused receives the reason in the latter cases
 */
export function loadTuning(
  device: GpuDevice,
  { stateDir, version }: StoreOptions,
  refused: (why: string) => void = () => {},
): Tuning | undefined {
  if (stateDir === undefined) return undefined
  const path = file(device, stateDir)
  const loaded = loadState({ path, field: FIELD, key: validFor(device, version), isValue: isTuning })
  if (loaded.kind === "valid") return loaded.value
  if (loaded.kind === "refused") refused(loaded.why)
  return undefined
}

/** Stores a tuning for later starts. @returns whether it was stored; if not, the next start measures again */
export function saveTuning(device: GpuDevice, { stateDir, version }: StoreOptions, tuning: Tuning): boolean {
  if (stateDir === undefined) return false
  try {
    saveState(file(device, stateDir), FIELD, validFor(device, version), tuning)
    return true
  } catch {
    return false
  }
}

/**
 * Returns the facts that a tuning is valid for. A MIG instance, or another card in the same slot, differs in compute
 * units or memory.
 */
export const validFor = ({ name, driver, architecture, computeUnits, memory }: GpuDevice, version: string) => ({
  version,
  name,
  driver,
  architecture,
  computeUnits,
  memory,
})

/** Returns the path of the device's state file. */
function file(device: GpuDevice, stateDir: string): string {
  return join(stateDir, `gpu-${device.api}-${deviceKey(device).replace(/[^\w.-]/g, "_")}.json`)
}

function isTuning(value: unknown): value is Tuning {
  const { layout, hashesPerSecond } = (value ?? {}) as Partial<Tuning>
  return [layout?.groupSize, layout?.groups].every(Number.isInteger) && hashesPerSecond! > 0
}
