/** Opens the selected GPUs: finds them, locks them against other miners, creates their engines and reads their sensors. */
import type { Clock } from "../clock.ts"
import type { HashingSettings, MiningSettings } from "../config/options.ts"
import type { GpuValues } from "../config/selections.ts"
import type { Engine } from "../engines/engine.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice } from "../engines/gpu/device-lock.ts"
import { type DriverOptions, findDevicesApart, type Tuned, tuneApart } from "../engines/gpu/driver-process.ts"
import type { FoundDevice, FoundDevices } from "../engines/gpu/find-devices.ts"
import { createGpuEngine, type GpuEngine } from "../engines/gpu/gpu-engine.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { loadTuning, saveTuning, validFor } from "../engines/gpu/stored-tuning.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { GpuLimits } from "../host/gpu-limits.ts"
import type { GpuKnobs } from "../host/gpu-settings.ts"
import { host } from "../host/host.ts"
import { nvmlKnobs } from "../host/nvml/knobs.ts"
import type { SensorSource } from "../host/sensor-source.ts"
import { type SensorWatch, sensorSources, watchSensors } from "../host/sensors.ts"
import type { Log } from "../log.ts"
import type { UnitDetails } from "../observe/snapshot.ts"
import { version } from "../version.ts"

export interface GpusOptions {
  /** Lists the GPUs of all drivers; replaced by tests. */
  readonly find?: (options: DriverOptions) => Promise<FoundDevices>
  /** Tunes a GPU; replaced by tests. */
  readonly tune?: typeof tuneApart
  /** Sensors and settings of GPUs; the host's own by default. */
  readonly openSensors?: (clock: Clock) => readonly SensorSource[]
  readonly knobs?: () => readonly GpuKnobs[]
  readonly settings: HashingSettings & Partial<GpuCare>
  readonly stateDir: string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Options that only commands which mine have. */
type GpuCare = Pick<MiningSettings, "gpuTempLimit" | "gpuPowerLimit" | "gpuCoreClock" | "gpuMemoryClock">

/** @throws OperatorError if a selected GPU is absent, unless a driver failed, whose GPUs are not known */
export async function openGpus(options: GpusOptions): Promise<Gpus> {
  if (!looksForGpus(options.settings)) return new Gpus(options, [])
  const { devices, hasFailure } = await listed(options)
  const cards = lockEach(selected(devices, hasFailure, options), options.log)
  setUp(cards, options)
  return new Gpus(options, cards)
}

function selected(devices: readonly FoundDevice[], hasFailure: boolean, { settings, log }: GpusOptions): FoundDevice[] {
  try {
    return selectDevices(devices, settings.gpuDevices, settings.allowIntegrated)
  } catch (error) {
    if (!(hasFailure && error instanceof OperatorError)) throw error
    log.withTag("gpu").warn(`${error.message}: no GPU is used`)
    return []
  }
}

/** Whether drivers are loaded at all. */
export const looksForGpus = ({ gpuDevices }: Pick<HashingSettings, "gpuDevices">): boolean =>
  gpuDevices.kind === "all" ? host.mayHaveGpus() : !(gpuDevices.kind === "count" && gpuDevices.count === 0)

interface ListedDevices {
  readonly devices: readonly FoundDevice[]
  readonly hasFailure: boolean
}

/** Warns about a failed driver. The absence of GPUs causes a warning only if GPUs were requested explicitly. */
async function listed({ settings, clock, find = findDevicesApart, log }: GpusOptions): Promise<ListedDevices> {
  const { devices, missing, failures, notes } = await find({ clock })
  for (const note of notes) log.withTag("gpu").info(note)
  for (const failure of failures) log.withTag("gpu").warn(`GPUs of a failed driver are not used: ${failure}`)
  if (devices.length === 0 && failures.length === 0) {
    const level = settings.gpuDevices.kind === "all" ? "debug" : "warn"
    log.withTag("gpu")[level](`no GPU found: ${missing.join("; ")}`)
  }
  return { devices, hasFailure: failures.length > 0 }
}

export class Gpus {
  readonly #options: GpusOptions
  /** The GPU of each engine, with its other API if that can still be tried. */
  readonly #cards = new Map<GpuEngine, FoundDevice & { readonly unit: string }>()
  /** Units that are paused because of their temperature. */
  readonly #hot = new Set<string>()
  readonly #devices = new Map<string, GpuDevice>()
  readonly #numbers = { cuda: 0, opencl: 0 }
  readonly #sensors: SensorWatch
  /** The outcome of a tuning; equal GPUs share it. */
  readonly #tunings = new Map<string, Promise<Tuned>>()

  constructor(options: GpusOptions, cards: readonly FoundDevice[]) {
    this.#options = options
    for (const { device, other } of cards) this.#create(device, other)
    const pcis = cards.flatMap(({ device }) => device.pci ?? [])
    const { clock, openSensors = sensorSources, settings } = options
    this.#sensors = watchSensors(pcis, pcis.length > 0 ? openSensors(clock) : [], clock)
    if (settings.gpuTempLimit !== undefined)
      clock.every(LOOK_AT_HEAT_MS, () => this.#lookAtHeat(settings.gpuTempLimit!))
  }

  /** One engine per GPU, not started. */
  get engines(): readonly Engine[] {
    return [...this.#cards.keys()]
  }

  /** Replaces a failed engine with one that uses the other API of the same GPU; undefined without one. */
  replace(failed: Engine): Engine | undefined {
    const engine = failed as GpuEngine
    const other = this.#cards.get(engine)?.other
    this.#cards.delete(engine)
    return other && this.#create(other, undefined)
  }

  /** Properties and sensor values of a GPU. */
  details(unit: string): UnitDetails | undefined {
    const device = this.#devices.get(unit)
    if (!device) return undefined
    const { name, pci } = device
    const pausedFor = this.#hot.has(unit) ? "temperature" : undefined
    return { name, pci, ...(pci !== undefined && this.#sensors.of(pci)), pausedFor }
  }

  /** Pauses GPUs above the limit, and lets them resume when they are five degrees below it. */
  #lookAtHeat(limit: number): void {
    const log = this.#options.log.withTag("gpu")
    for (const [engine, { device, unit }] of this.#cards) {
      const celsius = device.pci === undefined ? undefined : this.#sensors.of(device.pci)?.temperatureCelsius
      if (celsius === undefined) continue
      const wasHot = this.#hot.has(unit)
      const isHot = wasHot ? celsius > limit - COOLED_BY_CELSIUS : celsius > limit
      if (isHot === wasHot) continue
      if (isHot) this.#hot.add(unit)
      else this.#hot.delete(unit)
      engine.setPaused(isHot)
      if (isHot) log.warn(`${unit} is paused: ${celsius} °C exceeds --gpu-temp-limit ${limit}`)
      else log.info(`${unit} resumes at ${celsius} °C`)
    }
  }

  /** The stored tuning, or that of an equal GPU, or a new one, which is stored. */
  async #startOf(device: GpuDevice, unit: string): Promise<Tuned> {
    const { settings, stateDir, log } = this.#options
    const refused = (why: string) => log.withTag("gpu").info(`${unit}: the stored tuning ${why}`)
    const stored = settings.recalibrate ? undefined : loadTuning(device, { stateDir, version }, refused)
    if (stored) return { kind: "tuned", tuning: stored }
    const tuned = await this.#tuned(device)
    if (tuned.kind === "tuned") saveTuning(device, { stateDir, version }, tuned.tuning)
    return tuned
  }

  #tuned(device: GpuDevice): Promise<Tuned> {
    const { clock, tune = tuneApart } = this.#options
    const key = JSON.stringify([device.api, device.platform, validFor(device, version)])
    const known = this.#tunings.get(key)
    if (known) return known
    const log = this.#options.log.withTag("gpu")
    log.info(`${device.name} is tuned in a separate process for at most 60 s`)
    const tuning = tune(device, { clock, progress: what => log.info(`${device.name}: ${what}`) })
    this.#tunings.set(key, tuning)
    return tuning
  }

  #create(device: GpuDevice, other: GpuDevice | undefined): Engine {
    const { settings, clock, log } = this.#options
    const number = this.#numbers[device.api]++
    const unit = `${device.api}/${number}`
    const engine = createGpuEngine({
      device,
      number,
      batchSize: settings.gpuBatchSize,
      throttleMs: settings.gpuThrottleMs,
      random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
      clock,
      log: log.withTag("gpu"),
      tune: () => this.#startOf(device, unit),
    })
    log.withTag("gpu").info(`${unit} is ${nameOf(device)}, driven by ${device.driver}`)
    this.#devices.set(unit, device)
    this.#cards.set(engine, { device, other, unit })
    return engine
  }
}

/**
 * Restores settings that a killed miner left, and applies those of the options until the process exits.
 * @throws OperatorError (config) for a value outside a GPU's range, or a list longer than the GPUs
 */
function setUp(cards: readonly FoundDevice[], { settings, stateDir, log, knobs = hostKnobs }: GpusOptions): void {
  const known = cards.flatMap(({ device }) => (device.pci === undefined ? [] : [device.pci]))
  if (known.length === 0) return
  const limits = new GpuLimits({ knobs, stateDir, log: log.withTag("gpu") })
  const names = new Map(cards.map(({ device }) => [device.pci, nameOf(device)]))
  process.once("exit", () => limits.restore(pci => names.get(pci) ?? pci))
  for (const [index, { device }] of cards.entries()) {
    const { pci } = device
    if (pci === undefined) continue
    limits.restoreLeft(pci, nameOf(device))
    const valueFor = (flag: string, values: GpuValues | undefined) => {
      if (!Array.isArray(values)) return values as number | undefined
      if (values.length <= cards.length) return values[index]
      throw new OperatorError(`${flag} lists ${values.length} values for ${cards.length} GPUs`, ExitCode.config)
    }
    limits.apply(pci, nameOf(device), {
      powerLimit: valueFor("--gpu-power-limit", settings.gpuPowerLimit),
      coreClock: valueFor("--gpu-core-clock", settings.gpuCoreClock),
      memoryClock: valueFor("--gpu-memory-clock", settings.gpuMemoryClock),
    })
  }
}

function hostKnobs(): readonly GpuKnobs[] {
  const nvml = nvmlKnobs()
  return [...(nvml ? [nvml] : []), ...host.gpuKnobs()]
}

/** Locks GPUs until the process exits, and leaves out those that another miner uses. */
function lockEach(cards: readonly FoundDevice[], log: Log): FoundDevice[] {
  return cards.filter(({ device }) => {
    const locked = lockDevice(device)
    if (locked.kind === "taken") {
      log.withTag("gpu").warn(`${nameOf(device)} is skipped: another miner uses it (process ${locked.process})`)
    }
    return locked.kind !== "taken"
  })
}

/** Interval at which temperatures are compared with the limit. */
const LOOK_AT_HEAT_MS = 1000

/** A paused GPU resumes when it is this much cooler than the limit, so that it does not alternate. */
const COOLED_BY_CELSIUS = 5

const nameOf = ({ name, pci }: GpuDevice): string => (pci === undefined ? name : `${name} (${pci})`)
