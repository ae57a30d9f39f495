/** `tune --gpu`: measures every build of the selected GPUs, and stores the fastest for later starts. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice } from "../engines/gpu/device-lock.ts"
import type { TriedBuild } from "../engines/gpu/driver-child.ts"
import { findDevicesApart, tryApart } from "../engines/gpu/driver-process.ts"
import type { FoundDevices } from "../engines/gpu/find-devices.ts"
import type { Build } from "../engines/gpu/open-device.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { saveTuning } from "../engines/gpu/stored-tuning.ts"
import { allBuildsFor, nameOfBuild, type Tuning } from "../engines/gpu/tuning.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Locked } from "../host/platform.ts"
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

export interface TuneGpuOptions {
  readonly device: GpuDevice
  readonly log: Log
  /** Tries every build, until a signal ends it. */
  readonly tryAll: (builds: readonly Build[], tried: (build: Build, outcome: TriedBuild) => void) => Promise<void>
}

/** What the command uses of the machine. Tests pass their own. */
export interface TuneGpusAccess {
  readonly log: Log
  readonly print: (text: string) => void
  readonly find: () => Promise<Pick<FoundDevices, "devices" | "missing">>
  readonly lock: (device: GpuDevice) => Locked
  /** Whether a signal has ended the search, which then may have found nothing. */
  readonly isStopped: () => boolean
  readonly tryAll: (device: GpuDevice, ...args: Parameters<TuneGpuOptions["tryAll"]>) => Promise<void>
}

/** @throws OperatorError if no GPU can be tuned */
export async function tuneGpus({ settings, stateDir, notes }: Config<"tune">): Promise<void> {
  const stop = stopSignal()
  const { log } = openOutput(settings, notes)
  await tuneSelected(settings, stateDir, {
    log,
    print: text => console.log(text),
    find: () => findDevicesApart({ clock }),
    lock: lockDevice,
    isStopped: () => stop.aborted,
    tryAll: (device, builds, tried) => tryApart(device, builds, { clock, stop, tried }),
  })
}

/** Tunes the selected GPUs one after another, stores the outcomes and prints them. @throws as `tuneGpus` */
export async function tuneSelected(
  settings: Pick<Config<"tune">["settings"], "gpuDevices" | "allowIntegrated" | "json">,
  stateDir: string | undefined,
  { log, print, find, lock, tryAll, isStopped }: TuneGpusAccess,
): Promise<void> {
  if (stateDir === undefined) log.warn("no state directory: the result is printed and not stored")
  const { devices, missing } = await find()
  if (devices.length === 0) throw new OperatorError(`no usable GPU: ${missing.join("; ")}`, ExitCode.config)
  const entries: object[] = []
  for (const { device } of selectDevices(devices, settings.gpuDevices, settings.allowIntegrated)) {
    // The lock lasts until the process ends.
    const locked = lock(device)
    if (locked.kind === "taken") {
      log.warn(`${device.name} is left out: process ${locked.process} uses it`)
      continue
    }
    const outcome = await tuneGpu({ device, log, tryAll: (builds, tried) => tryAll(device, builds, tried) })
    if (!outcome) continue
    const isStored = saveTuning(device, { stateDir, version }, outcome.best.tuning)
    if (stateDir !== undefined && !isStored)
      log.warn(`${device.name}: ${stateDir} is not writable; specify --state-dir`)
    entries.push({ ...entryOf(device, outcome), stored: isStored })
    if (!settings.json) print(`${reportOf(device, outcome)}; ${isStored ? "stored" : "not stored"}`)
  }
  if (entries.length === 0 && !isStopped())
    throw new OperatorError("no GPU could be tuned: see the warnings", ExitCode.lost)
  if (settings.json) print(JSON.stringify({ gpus: entries }))
}

/** @returns undefined if no build works */
export async function tuneGpu({ device, log, tryAll }: TuneGpuOptions): Promise<TunedGpu | undefined> {
  const builds = allBuildsFor(device)
  let best: Measured | undefined
  let usual: Measured | undefined
  let tried = 0
  log.info(`${device.name}: ${builds.length} builds are compiled, tested and measured`)
  await tryAll(builds, (build, outcome) => {
    tried += 1
    const place = `${device.name}, ${tried} of ${builds.length}: ${nameOfBuild(build)}`
    if (outcome.kind !== "right") return log.warn(`${place} is ${outcome.kind}: ${outcome.why}`)
    const measured = { tuning: outcome.tuning, watts: outcome.reading }
    usual ??= measured
    if (!best || outcome.tuning.hashesPerSecond > best.tuning.hashesPerSecond) best = measured
    log.info(`${place}: ${textOf(measured)}${best === measured ? ", the fastest so far" : ""}`)
  })
  return best && usual && { best, usual, tried }
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
