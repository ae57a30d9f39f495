/** Stores the result of a calibration for the next start on the same machine. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"

/** The conditions under which a calibration is valid. */
export interface CalibrationKey {
  /** The CPU's model name and microcode; empty if unknown. */
  readonly cpu: string
  readonly microcode: string
  /** The miner's version. */
  readonly version: string
  /** True if machine code could be generated; measurements without it do not apply to a start with it. */
  readonly native: boolean
  /** The requested number of workers, and the smaller number that was measured too. */
  readonly workers: readonly number[]
}

export interface Calibration {
  /** Kernels that passed the self-test, fastest first. */
  readonly kernels: readonly { readonly name: string; readonly hashesPerSecond: number }[]
  /** The fastest number of workers. */
  readonly workers: number
}

export interface CalibrationCache {
  /** Undefined if the cache has no calibration for the key, or is unreadable or malformed. */
  load(key: CalibrationKey): Promise<Calibration | undefined>
  /** Rejects if the file cannot be written. */
  save(key: CalibrationKey, calibration: Calibration): Promise<void>
}

/** @param file JSON file that holds the latest calibration only */
export function fileCache(file: string): CalibrationCache {
  return {
    async load(key) {
      try {
        const saved: unknown = JSON.parse(await readFile(file, "utf8"))
        const { key: savedKey, calibration } = isRecord(saved) ? saved : {}
        if (JSON.stringify(savedKey) !== JSON.stringify(ordered(key))) return undefined
        // An edited or damaged count must not start workers that the machine has no CPUs for.
        return isCalibration(calibration) && key.workers.includes(calibration.workers) ? calibration : undefined
      } catch {
        return undefined
      }
    },
    async save(key, calibration) {
      await mkdir(dirname(file), { recursive: true })
      const temporary = `${file}.${process.pid}`
      try {
        await writeFile(temporary, `${JSON.stringify({ key: ordered(key), calibration }, undefined, 2)}\n`)
        await rename(temporary, file)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
  }
}

/** The key with its fields in a fixed order, so that equal keys have equal JSON. */
const ordered = ({ cpu, microcode, version, native, workers }: CalibrationKey) => ({
  cpu,
  microcode,
  version,
  native,
  workers,
})

function isCalibration(value: unknown): value is Calibration {
  if (!isRecord(value)) return false
  const { kernels, workers } = value
  if (!Number.isInteger(workers) || (workers as number) < 1 || !Array.isArray(kernels) || kernels.length === 0) {
    return false
  }
  return kernels.every(kernel => {
    const { name, hashesPerSecond } = isRecord(kernel) ? kernel : {}
    return typeof name === "string" && Number.isFinite(hashesPerSecond) && (hashesPerSecond as number) > 0
  })
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null
