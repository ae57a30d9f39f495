/** `tune --gpu`: measures every build of the selected GPUs, and stores the fastest for later starts. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice } from "../engines/gpu/device-lock.ts"
import { findDevicesApart, tuneApart } from "../engines/gpu/driver-process.ts"
import { UnsupportedDevice } from "../engines/gpu/library.ts"
import type { Build } from "../engines/gpu/open-device.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { saveTuning } from "../engines/gpu/stored-tuning.ts"
import { allBuildsFor, nameOfBuild, type Tried, type Tuning, tryBuild } from "../engines/gpu/tuning.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { SensorSource } from "../host/sensor-source.ts"
import { sensorSources } from "../host/sensors.ts"
import type { Log } from "../log.ts"
import { formatRate } from "../observe/units.ts"
import { version } from "../version.ts"
import { openOutput } from "./output.ts"
import { stopSignal } from "./stop-signal.ts"

/** The outcome for one GPU. */
export interface TunedGpu {
  readonly best: Measured
  /** The first build that works, which a first start would have compared others with. */
  readonly usual: Measured
  readonly tried: number
}

interface Measured {
  readonly tuning: Tuning
  readonly watts: number | undefined
}

type TriedBuild = Tried<number | undefined>

export interface TuneGpuOptions {
  readonly device: GpuDevice
  readonly log: Log
  readonly stop: AbortSignal
  /** Tries a build, and reads the power of the busy GPU, which is undefined if it cannot be read. */
  readonly tryBuild: (build: Build) => Promise<TriedBuild>
}

/** @throws OperatorError if no GPU can be tuned */
export async function tuneGpus({ settings, stateDir, notes }: Config<"tune">): Promise<void> {
  const stop = stopSignal()
  const { log } = openOutput(settings, notes)
  if (stateDir === undefined) log.warn("no state directory: the result is printed and not stored")
  const { devices, missing } = await findDevicesApart({ clock })
  if (devices.length === 0) throw new OperatorError(`no usable GPU: ${missing.join("; ")}`, ExitCode.config)
  const sources = sensorSources(clock)
  const entries: object[] = []
  for (const { device } of selectDevices(devices, settings.gpuDevices, settings.allowIntegrated)) {
    const problem = await unusable(device, log)
    if (problem !== undefined) {
      log.warn(`${device.name} is left out: ${problem}`)
      continue
    }
    const outcome = await tuneGpu({
      device,
      log,
      stop,
      tryBuild: build => tryBuildOf(device, build, () => wattsOf(device, sources)),
    })
    if (!outcome) continue
    saveTuning(device, { stateDir, version }, outcome.best.tuning)
    entries.push(entryOf(device, outcome))
    if (!settings.json) console.log(reportOf(device, outcome))
  }
  for (const source of sources) source.close()
  if (settings.json) console.log(JSON.stringify({ gpus: entries }))
}

/** Tries every build until `stop`. @returns undefined if none works */
export async function tuneGpu({ device, log, stop, tryBuild }: TuneGpuOptions): Promise<TunedGpu | undefined> {
  const builds = allBuildsFor(device)
  let best: Measured | undefined
  let usual: Measured | undefined
  let tried = 0
  for (const build of builds) {
    if (stop.aborted) break
    const outcome = await tryBuild(build)
    tried += 1
    const place = `${device.name}, ${tried} of ${builds.length}: ${nameOfBuild(build)}`
    if (outcome.kind === "right") {
      const measured = { tuning: outcome.tuning, watts: outcome.reading }
      usual ??= measured
      if (!best || outcome.tuning.hashesPerSecond > best.tuning.hashesPerSecond) best = measured
      log.info(`${place}: ${textOf(measured)}${best === measured ? ", the fastest so far" : ""}`)
    } else {
      log.warn(`${place} is ${outcome.kind}: ${outcome.why}`)
    }
    // Signals are delivered between builds.
    await new Promise(resolve => setImmediate(resolve))
  }
  return best && usual && { best, usual, tried }
}

/** Locks the GPU until the process ends, and tries a driver in a child process first. */
async function unusable(device: GpuDevice, log: Log): Promise<string | undefined> {
  const locked = lockDevice(device)
  if (locked.kind === "taken") return `process ${locked.process} uses it`
  log.info(`${device.name}: its driver is tried in a separate process first for at most 60 s`)
  const tuned = await tuneApart(device, { clock })
  return tuned.kind === "unusable" ? tuned.why : undefined
}

async function tryBuildOf(
  device: GpuDevice,
  build: Build,
  read: () => Promise<number | undefined>,
): Promise<TriedBuild> {
  try {
    return await tryBuild(device, build, { now: () => performance.now(), read })
  } catch (error) {
    if (error instanceof UnsupportedDevice) return { kind: "refused", why: error.message }
    throw error
  }
}

async function wattsOf({ pci }: GpuDevice, sources: readonly SensorSource[]): Promise<number | undefined> {
  if (pci === undefined) return undefined
  for (const source of sources) {
    const reading = await source.read(pci)
    if (reading) return reading.powerWatts
  }
  return undefined
}

function textOf({ tuning, watts }: Measured): string {
  const rate = formatRate(tuning.hashesPerSecond)
  return watts === undefined ? rate : `${rate} at ${watts.toFixed(0)} W`
}

const gainOf = ({ best, usual }: TunedGpu): number => best.tuning.hashesPerSecond / usual.tuning.hashesPerSecond

function reportOf(device: GpuDevice, outcome: TunedGpu): string {
  const { best, usual, tried } = outcome
  const gain = `${(100 * (gainOf(outcome) - 1)).toFixed(1)} %`
  return `${device.name}: ${textOf(best)} with ${nameOfBuild(best.tuning.layout)}, +${gain} over ${textOf(usual)} after ${tried} builds`
}

function entryOf(device: GpuDevice, outcome: TunedGpu): object {
  const { best, tried } = outcome
  const { name, pci = null, driver } = device
  const rates = { hashes_per_second: best.tuning.hashesPerSecond, watts: best.watts ?? null, gain: gainOf(outcome) }
  return { name, pci_address: pci, driver, tried, ...rates, layout: best.tuning.layout }
}
