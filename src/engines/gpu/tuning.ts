/**
 * How launches are laid out on a device: measured at the first start, remembered after it. A layout is the group's size,
 * the number of groups, and on CUDA the registers of a thread, which decide how many threads a multiprocessor holds.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { MOST_NONCES } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import { deviceKey, type GpuDevice } from "./device.ts"
import { DeviceSearch } from "./device-search.ts"
import { type Build, openDevice } from "./open-device.ts"

export interface Layout extends Build {
  readonly groups: number
}

export interface Tuning {
  readonly layout: Layout
  /** Measured with that layout. */
  readonly hashesPerSecond: number
}

export interface TuningOptions {
  /** Where tunings are kept; undefined: they are not. */
  readonly stateDir: string | undefined
  readonly version: string
  readonly recalibrate: boolean
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Milliseconds of launches that a layout is measured by; the best of so many. */
const MEASURE_MS = 40
const REPEATS = 3

/** Groups are multiples of this many for each multiprocessor. */
const GROUPS_PER_UNIT = 64

/** Rows that a device is first tried with; doubled until they take long enough to be measured. */
const FIRST_ROWS = 16
const MOST_ROWS = MOST_NONCES / ROW

/** Few registers and many threads, or many registers and short code; `docs/gpu.md` has what the compiler makes of each. */
const CUDA_BUILDS: readonly Build[] = [
  { groupSize: 128, registers: 76, form: "pairs" },
  { groupSize: 128, registers: 168, form: "pairs" },
  { groupSize: 128, registers: 80, form: "words" },
  { groupSize: 128, registers: 128, form: "words" },
]

const OPENCL_BUILDS: readonly Build[] = [
  { groupSize: 64 },
  { groupSize: 256 },
  { groupSize: 64, limbs: true },
  { groupSize: 256, limbs: true },
]

/** Compilers of processors make a program anew for every group size. */
const PROCESSOR_BUILDS: readonly Build[] = [{ groupSize: 1 }]

/** The device, opened with the layout that is remembered for it, or else found to be the fastest. */
export function openTuned(device: GpuDevice, options: TuningOptions): { search: DeviceSearch; tuning: Tuning } {
  const remembered = options.recalibrate ? undefined : load(device, options)
  const tuning = remembered ?? measureAll(device, options.now)
  if (!remembered) save(device, options, tuning)
  return { search: openWith(device, tuning.layout), tuning }
}

/** Rows of a launch that takes about so many milliseconds at this rate. */
export function rowsFor(hashesPerSecond: number, milliseconds: number): number {
  return rowsOf((hashesPerSecond * milliseconds) / 1000)
}

/** Rows of a launch of so many nonces. */
export const rowsOf = (nonces: number): number => Math.max(1, Math.min(MOST_ROWS, Math.round(nonces / ROW)))

/** Nonces a second, of launches that together take a while. */
export function measure(search: DeviceSearch, now: () => number): number {
  search.setTarget(0n)
  search.preparePlane(new BigUint64Array(12).fill(1n))
  const time = (rows: number) => {
    const start = now()
    search.take(search.launchRows(0, rows))
    return now() - start
  }
  let rows = FIRST_ROWS
  time(rows)
  while (rows < MOST_ROWS / 2 && time(rows) < MEASURE_MS) rows *= 2
  const best = Math.min(...Array.from({ length: REPEATS }, () => time(rows)))
  return (rows * ROW * 1000) / best
}

function measureAll(device: GpuDevice, now: () => number): Tuning {
  const builds = device.api === "cuda" ? CUDA_BUILDS : device.processor ? PROCESSOR_BUILDS : OPENCL_BUILDS
  const tunings = builds.map((build): Tuning => {
    const layout = { ...build, groups: device.computeUnits * GROUPS_PER_UNIT }
    const search = openWith(device, layout)
    try {
      return { layout, hashesPerSecond: measure(search, now) }
    } finally {
      search.close()
    }
  })
  return tunings.reduce((best, tuning) => (tuning.hashesPerSecond > best.hashesPerSecond ? tuning : best))
}

function openWith(device: GpuDevice, layout: Layout): DeviceSearch {
  const search = new DeviceSearch(device.api, openDevice(device, layout))
  search.geometry = layout
  return search
}

/** One file for each device, valid for one driver and one version of the miner. */
function file(device: GpuDevice, stateDir: string): string {
  return join(stateDir, `gpu-${device.api}-${deviceKey(device).replace(/[^\w.-]/g, "_")}.json`)
}

const validFor = (device: GpuDevice, version: string) => ({ version, name: device.name, driver: device.driver })

function load(device: GpuDevice, { stateDir, version }: TuningOptions): Tuning | undefined {
  if (stateDir === undefined) return undefined
  try {
    const { key, tuning } = JSON.parse(readFileSync(file(device, stateDir), "utf8"))
    const { groupSize, groups } = tuning.layout
    const valid = [groupSize, groups].every(Number.isInteger) && tuning.hashesPerSecond > 0
    return valid && JSON.stringify(key) === JSON.stringify(validFor(device, version)) ? tuning : undefined
  } catch {
    return undefined
  }
}

/** A state directory that cannot be written to costs a measurement at the next start, and nothing else. */
function save(device: GpuDevice, { stateDir, version }: TuningOptions, tuning: Tuning): void {
  if (stateDir === undefined) return
  const path = file(device, stateDir)
  try {
    mkdirSync(stateDir, { recursive: true })
    writeFileSync(
      `${path}.${process.pid}`,
      `${JSON.stringify({ key: validFor(device, version), tuning }, undefined, 2)}\n`,
    )
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // As above.
  }
}
