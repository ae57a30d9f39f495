/**
 * Tuning of a device: layouts are measured, and the fastest is used. A layout is a build and a number of groups, which
 * determines the nonces per thread. On CUDA the build's register limit determines the threads that a multiprocessor
 * holds. Layouts that a driver rejects or compiles wrongly are skipped.
 */
import { MAX_NONCES } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import { DeviceError } from "./compute.ts"
import type { GpuDevice } from "./device.ts"
import { DeviceSearch, IN_FLIGHT } from "./device-search.ts"
import { testDevice } from "./device-test.ts"
import { type Build, openDevice } from "./open-device.ts"

export interface Layout extends Build {
  /** Groups of a launch. */
  readonly groups: number
}

export interface Tuning {
  readonly layout: Layout
  /** Rate of `layout` when it was measured. */
  readonly hashesPerSecond: number
}

/** What a device is opened with: a tuning, or a build whose rate is measured when it is opened. */
export type Start =
  | { readonly kind: "tuned"; readonly tuning: Tuning }
  | { readonly kind: "default"; readonly build: Build }

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
 * Groups of a launch, in multiples of those that the device holds at a time, so that no compute unit idles while others
 * finish a last wave. A build that is not tuned takes the first number.
 */
const WAVES = [4, 1, 16] as const

/** Groups that a compute unit holds, where the API does not report it. */
const USUAL_RESIDENT = 16

/** Duration of the launches during which sensors are read. */
const BUSY_MS = 300

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

/** Every combination that may suit a device, the usual builds first. */
export function allBuildsFor(device: GpuDevice): readonly Build[] {
  const usual = buildsFor(device)
  if (device.processor) return usual
  const forms = device.api === "cuda" ? (["pairs", "multiplier", "words"] as const) : [undefined]
  const limits = device.api === "cuda" ? [64, 76, 80, 96, 128, 168] : [undefined]
  const others = forms.flatMap(form =>
    limits.flatMap(registers =>
      [64, 128, 256].flatMap(groupSize => [true, false].map(rolled => ({ groupSize, registers, form, rolled }))),
    ),
  )
  const names = new Set(usual.map(nameOfBuild))
  return [...usual, ...others.filter(build => !names.has(nameOfBuild(build)))]
}

/** A build that was tried: right and measured, or why it cannot be used. */
export type Tried<Reading = never> =
  | {
      readonly kind: "right"
      readonly tuning: Tuning
      /** Registers of a thread; undefined if the API does not report them. */
      readonly registers: number | undefined
      /** What sensors said while the device was busy; undefined if they were not read. */
      readonly reading: Reading | undefined
    }
  | { readonly kind: "wrong" | "refused"; readonly why: string }

export interface TryOptions<Reading> {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Reads sensors while the device is busy; it should take less than `BUSY_MS`. */
  readonly read?: () => Promise<Reading>
  readonly access?: DeviceAccess
}

/** Opens, tests and measures a build with every number of waves. @throws UnsupportedDevice */
export async function tryBuild<Reading>(
  device: GpuDevice,
  build: Build,
  { now, read, access = DEVICES }: TryOptions<Reading>,
): Promise<Tried<Reading>> {
  try {
    const search = openProved(device, { ...build, groups: device.computeUnits }, access)
    try {
      const tunings = WAVES.map((waves): Tuning => {
        const layout = layoutFor(device, build, search, waves)
        search.geometry = layout
        return { layout, hashesPerSecond: measure(search, now) }
      })
      const tuning = fastest(tunings)
      search.geometry = tuning.layout
      const reading = read && (await whileBusy(search, rowsFor(tuning.hashesPerSecond, BUSY_MS), read))
      return { kind: "right", tuning, registers: search.registers, reading }
    } finally {
      search.close()
    }
  } catch (error) {
    if (error instanceof WrongDevice) return { kind: "wrong", why: error.message }
    if (error instanceof DeviceError) return { kind: "refused", why: error.message }
    throw error
  }
}

/** Runs `during` while every queue of the device has a launch. */
async function whileBusy<Outcome>(
  search: DeviceSearch,
  rows: number,
  during: () => Promise<Outcome>,
): Promise<Outcome> {
  const launches = Array.from({ length: IN_FLIGHT }, () => search.launchRows(0, rows))
  try {
    return await during()
  } finally {
    for (const launch of launches) search.take(launch)
  }
}

/** Receives the steps of a tuning. */
export interface TuningEvents<Reading> {
  /** A build is about to be compiled. */
  begun(build: Build): void
  /** The build is compiled, and computes right hashes. */
  proved(build: Build): void
  tried(build: Build, outcome: Tried<Reading>): void
}

/** Tries builds of a device one after the other. @throws UnsupportedDevice */
export async function tryBuilds<Reading>(
  device: GpuDevice,
  builds: readonly Build[],
  events: TuningEvents<Reading>,
  { access: { open, test } = DEVICES, ...options }: TryOptions<Reading>,
): Promise<void> {
  for (const build of builds) {
    events.begun(build)
    const proving: DeviceAccess["test"] = search => {
      const wrong = test(search)
      if (wrong === undefined) events.proved(build)
      return wrong
    }
    const tried = await tryBuild(device, build, { ...options, access: { open, test: proving } })
    events.tried(build, tried)
  }
}

/**
 * Opens the device and tests it. If the layout of a tuning no longer works, the device's first build takes its place.
 * @param progress receives a sentence in that case
 * @throws DeviceError, WrongDevice, UnsupportedDevice
 */
export function openStart(
  device: GpuDevice,
  start: Start,
  { now, progress = () => {} }: { readonly now: () => number; readonly progress?: (what: string) => void },
  access: DeviceAccess = DEVICES,
): { search: DeviceSearch; tuning: Tuning } {
  if (start.kind === "default") return openUntuned(device, start.build, now, access)
  const { tuning } = start
  const search = attempt(() => openProved(device, tuning.layout, access))
  if (!(search instanceof Error)) return { search, tuning }
  const build = buildsFor(device)[0]!
  progress(
    `${nameOfBuild(tuning.layout)} no longer works: ${search.message}; ${nameOfBuild(build)} is used, ` +
      "--recalibrate tunes again",
  )
  return openUntuned(device, build, now, access)
}

function openUntuned(
  device: GpuDevice,
  build: Build,
  now: () => number,
  access: DeviceAccess,
): { search: DeviceSearch; tuning: Tuning } {
  const search = openProved(device, { ...build, groups: device.computeUnits }, access)
  try {
    const layout = layoutFor(device, build, search, WAVES[0])
    search.geometry = layout
    return { search, tuning: { layout, hashesPerSecond: measure(search, now) } }
  } catch (error) {
    search.close()
    throw error
  }
}

/** Returns the rows of a launch that takes about `milliseconds` at this rate, 1 … MAX_ROWS. */
export function rowsFor(hashesPerSecond: number, milliseconds: number): number {
  return rowsOf((hashesPerSecond * milliseconds) / 1000)
}

/**
 * Returns the rows of a launch: those of `batchSize` nonces if given, otherwise those that take `launchMs`. A batch is
 * limited to one second, because a device without progress for five seconds counts as hung. Launches of more than one
 * nonce per thread give every thread of `layout` the same number.
 */
export function rowsOfLaunch(
  hashesPerSecond: number,
  { batchSize, launchMs }: { readonly batchSize: number | undefined; readonly launchMs: number },
  layout: Layout,
): number {
  if (batchSize === undefined) return inFullWaves(rowsFor(hashesPerSecond, launchMs), layout)
  return Math.min(rowsOf(batchSize), rowsFor(hashesPerSecond, MAX_LAUNCH_MS))
}

/** Rounds rows down to whole nonces per thread, unless that is less than one. */
function inFullWaves(rows: number, { groups, groupSize }: Layout): number {
  const wave = (groups * groupSize) / ROW
  return rows < wave ? rows : Math.floor(Math.floor(rows / wave) * wave)
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

/** `multiplier, rolled, 128 registers, groups of 128`. */
export function nameOfBuild({ form, rolled, registers, groupSize }: Build): string {
  const parts = [form, rolled ? "rolled" : "rounds in a row", registers && `${registers} registers`]
  return [...parts, `groups of ${groupSize}`].filter(part => part !== undefined).join(", ")
}

/** @param search the device, opened with the build */
function layoutFor({ computeUnits }: GpuDevice, build: Build, search: DeviceSearch, waves: number): Layout {
  const resident = search.residentGroups(build.groupSize) ?? USUAL_RESIDENT
  return { ...build, groups: computeUnits * resident * waves }
}

/** @param tunings at least one */
export const fastest = (tunings: readonly Tuning[]): Tuning =>
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
