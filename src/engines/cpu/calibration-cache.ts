/** What a calibration found out, kept for the next start on the same machine. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"

/** What a calibration is valid for. */
export interface CalibrationKey {
  /** The CPU's model name and microcode; empty where the system does not tell. */
  readonly cpu: string
  readonly microcode: string
  /** The miner's version. */
  readonly version: string
  /** Whether machine code could be made: what was measured without it says nothing about another start. */
  readonly native: boolean
  /** Workers that were to mine, and fewer ones that were tried as well. */
  readonly workers: readonly number[]
}

export interface Calibration {
  /** Kernels that passed the self-test, fastest first. */
  readonly kernels: readonly { readonly name: string; readonly hashesPerSecond: number }[]
  /** The number of workers that was fastest. */
  readonly workers: number
}

export interface CalibrationCache {
  /** Undefined where there is none for the key, or where it cannot be read or made sense of. */
  load(key: CalibrationKey): Promise<Calibration | undefined>
  /** Rejects where it cannot be written. */
  save(key: CalibrationKey, calibration: Calibration): Promise<void>
}

/** @param file holds one calibration, the last one, as JSON */
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

/** The key with its fields in one order, so that equal keys are equal texts. */
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
