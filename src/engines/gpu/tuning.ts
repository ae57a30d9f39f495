/**
 * Tuning of a device. Layouts are measured at the first start, and the fastest is stored for later starts. A layout is
 * a build and a number of groups, which determines the nonces per thread. On CUDA the build's register limit determines
 * the threads that a multiprocessor holds. Layouts that a driver rejects or compiles wrongly are skipped.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { MAX_NONCES } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import { DeviceError } from "./compute.ts"
import { deviceKey, type GpuDevice } from "./device.ts"
import { DeviceSearch } from "./device-search.ts"
import { testDevice } from "./device-test.ts"
import { type Build, openDevice } from "./open-device.ts"

export interface Layout extends Build {
  readonly groups: number
}

export interface Tuning {
  readonly layout: Layout
  /** Rate of `layout` when it was measured. */
  readonly hashesPerSecond: number
}

export interface TuningOptions {
  /** Directory of the stored tunings; undefined disables storing. */
  readonly stateDir: string | undefined
  /** Version of the miner; a tuning of another version is not used. */
  readonly version: string
  /** Whether to measure even if a tuning is stored. */
  readonly recalibrate: boolean
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** How a device is opened and tested. Tests replace it to simulate faults. */
export interface DeviceAccess {
  readonly open: typeof openDevice
  readonly test: typeof testDevice
}

const DEVICES: DeviceAccess = { open: openDevice, test: testDevice }

/** A device failed its self-test: it computes wrong hashes. */
export class WrongDevice extends Error {
  override readonly name = "WrongDevice"
}

/**
 * Minimum duration of a measured launch. Finding its size takes about twice as long, in which an idle card raises its
 * clocks.
 */
const MEASURE_MS = 100

/** Number of measured launches, of which the fastest counts. */
const REPEATS = 3

/**
 * Groups per compute unit. Builds are compared with the first number; the fastest build is also measured with the
 * others.
 */
const GROUPS_PER_UNIT = [64, 16, 256] as const

/** Rows of the first launch, doubled until a launch takes `MEASURE_MS`. */
const FIRST_ROWS = 16

/** Maximum rows of a launch. */
const MAX_ROWS = MAX_NONCES / ROW

/** Maximum duration of a launch with a given batch size. */
const MAX_LAUNCH_MS = 1000

/*
 * The builds of a device, the one of the best counts in `docs/gpu.md` first. Rolled code fits the instruction cache;
 * rounds in a row save a few instructions. On CUDA, few registers allow many threads.
 */

const CUDA_BUILDS: readonly Build[] = [
  { groupSize: 128, registers: 76, form: "pairs", rolled: true },
  { groupSize: 128, registers: 168, form: "pairs", rolled: true },
  { groupSize: 128, registers: 76, form: "pairs" },
  { groupSize: 128, registers: 168, form: "pairs" },
  { groupSize: 128, registers: 128, form: "multiplier", rolled: true },
]

/** Architectures from sm_120 on add pairs in one instruction, which makes sums of three more expensive. */
const BLACKWELL_BUILDS: readonly Build[] = [
  { groupSize: 128, registers: 128, form: "multiplier", rolled: true },
  { groupSize: 128, registers: 128, form: "multiplier" },
  { groupSize: 128, registers: 128, form: "words", rolled: true },
  { groupSize: 128, registers: 128, form: "words" },
]

const OPENCL_BUILDS: readonly Build[] = [
  { groupSize: 64, rolled: true },
  { groupSize: 256, rolled: true },
  { groupSize: 64 },
  { groupSize: 256 },
]

/** Compilers for processors recompile the program for every group size, so only one is used. */
const PROCESSOR_BUILDS: readonly Build[] = [{ groupSize: 1, rolled: true }]

/** The builds that a device is measured with. */
export function buildsFor({ api, processor, architecture }: GpuDevice): readonly Build[] {
  if (api === "opencl") return processor ? PROCESSOR_BUILDS : OPENCL_BUILDS
  return Number(/^sm_(\d+)/.exec(architecture)?.[1]) >= 120 ? BLACKWELL_BUILDS : CUDA_BUILDS
}

/** Whether a tuning is stored that is valid for the device and its driver, which then has compiled every build. */
export const isTuned = (device: GpuDevice, options: Pick<TuningOptions, "stateDir" | "version">): boolean =>
  load(device, options) !== undefined

/**
 * Opens the device and tests it, with the stored layout or, if that is absent or fails, with the fastest measured one.
 * @throws DeviceError, WrongDevice, UnsupportedDevice if no layout works
 */
export function openTuned(
  device: GpuDevice,
  options: TuningOptions,
  access: DeviceAccess = DEVICES,
): { search: DeviceSearch; tuning: Tuning } {
  const remembered = options.recalibrate ? undefined : load(device, options)
  if (remembered) {
    const search = attempt(() => openProved(device, remembered.layout, access))
    if (!(search instanceof Error)) return { search, tuning: remembered }
  }
  const measured = measureAll(device, options.now, access)
  save(device, options, measured.tuning)
  return measured
}

/** Returns the rows of a launch that takes about `milliseconds` at this rate, 1 … MAX_ROWS. */
export function rowsFor(hashesPerSecond: number, milliseconds: number): number {
  return rowsOf((hashesPerSecond * milliseconds) / 1000)
}

/**
 * Returns the rows of a launch: those of `batchSize` nonces if given, otherwise those that take `launchMs`. A batch is
 * limited to one second, because a device without progress for five seconds counts as hung.
 */
export function rowsOfLaunch(
  hashesPerSecond: number,
  { batchSize, launchMs }: { readonly batchSize: number | undefined; readonly launchMs: number },
): number {
  if (batchSize === undefined) return rowsFor(hashesPerSecond, launchMs)
  return Math.min(rowsOf(batchSize), rowsFor(hashesPerSecond, MAX_LAUNCH_MS))
}

/** Returns the rows of a launch of about `nonces` nonces, 1 … MAX_ROWS. */
export const rowsOf = (nonces: number): number => Math.max(1, Math.min(MAX_ROWS, Math.round(nonces / ROW)))

/** Measures the device's rate with its current geometry. @returns nonces per second */
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
  while (rows < MAX_ROWS / 2 && time(rows) < MEASURE_MS) rows *= 2
  const best = Math.min(...Array.from({ length: REPEATS }, () => time(rows)))
  return (rows * ROW * 1000) / best
}

/** Measures all layouts and opens the fastest. @throws the error of the first layout if none works */
function measureAll(
  device: GpuDevice,
  now: () => number,
  access: DeviceAccess,
): { search: DeviceSearch; tuning: Tuning } {
  const builds = buildsFor(device)
  const layoutOf = (build: Build, groupsPerUnit: number) => layoutFor(device, build, groupsPerUnit)
  const outcomes = builds.map(build =>
    attempt((): Tuning => {
      const layout = layoutOf(build, GROUPS_PER_UNIT[0])
      const search = openProved(device, layout, access)
      try {
        return { layout, hashesPerSecond: measure(search, now) }
      } finally {
        search.close()
      }
    }),
  )
  const tunings = outcomes.filter((outcome): outcome is Tuning => !(outcome instanceof Error))
  if (tunings.length === 0) throw outcomes[0]
  const best = fastest(tunings)
  const search = openProved(device, best.layout, access)
  try {
    const others = GROUPS_PER_UNIT.slice(1).map((groupsPerUnit): Tuning => {
      const layout = layoutOf(best.layout, groupsPerUnit)
      search.geometry = layout
      return { layout, hashesPerSecond: measure(search, now) }
    })
    const tuning = fastest([best, ...others])
    search.geometry = tuning.layout
    return { search, tuning }
  } catch (error) {
    search.close()
    throw error
  }
}

const layoutFor = ({ computeUnits }: GpuDevice, build: Build, groupsPerUnit: number): Layout => ({
  ...build,
  groups: computeUnits * groupsPerUnit,
})

/**
 * Compiles and tests one build after the other, and closes each. An error that a driver reports is left to the tuning,
 * which skips the build.
 * @param next receives the number of each build before it is compiled
 */
export function proveBuilds(device: GpuDevice, next: (build: number) => void, access: DeviceAccess = DEVICES): void {
  for (const [i, build] of buildsFor(device).entries()) {
    next(i)
    const search = attempt(() => openProved(device, layoutFor(device, build, GROUPS_PER_UNIT[0]), access))
    if (!(search instanceof Error)) search.close()
  }
}

const fastest = (tunings: readonly Tuning[]): Tuning =>
  tunings.reduce((best, tuning) => (tuning.hashesPerSecond > best.hashesPerSecond ? tuning : best))

/** Opens the device with a layout and tests it. @throws DeviceError, WrongDevice, UnsupportedDevice */
function openProved(device: GpuDevice, layout: Layout, { open, test }: DeviceAccess): DeviceSearch {
  const compute = open(device, layout)
  try {
    const search = new DeviceSearch(device.api, compute)
    search.geometry = layout
    const wrong = test(search)
    if (wrong) throw new WrongDevice(wrong)
    return search
  } catch (error) {
    compute.close()
    throw error
  }
}

/** Returns the outcome, or an error that another layout may avoid. @throws any other error */
function attempt<Outcome>(run: () => Outcome): Outcome | DeviceError | WrongDevice {
  try {
    return run()
  } catch (error) {
    if (error instanceof DeviceError || error instanceof WrongDevice) return error
    throw error
  }
}

/** Returns the path of the device's state file. */
function file(device: GpuDevice, stateDir: string): string {
  return join(stateDir, `gpu-${device.api}-${deviceKey(device).replace(/[^\w.-]/g, "_")}.json`)
}

/**
 * Returns the facts that a tuning is valid for. A MIG instance, or another card in the same slot, differs in compute
 * units or memory.
 */
const validFor = ({ name, driver, architecture, computeUnits, memory }: GpuDevice, version: string) => ({
  version,
  name,
  driver,
  architecture,
  computeUnits,
  memory,
})

/** Loads the stored tuning; undefined if it is absent, invalid, or made under other facts. */
function load(
  device: GpuDevice,
  { stateDir, version }: Pick<TuningOptions, "stateDir" | "version">,
): Tuning | undefined {
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

/** Stores a tuning. Errors are ignored: the next start measures again. */
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
    // See above.
  }
}
