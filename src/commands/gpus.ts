/** Opens the selected GPUs: finds them, locks them against other miners, creates their engines and reads their sensors. */
import type { Clock } from "../clock.ts"
import type { HashingSettings } from "../config/options.ts"
import type { Engine } from "../engines/engine.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice } from "../engines/gpu/device-lock.ts"
import { type DriverOptions, findDevicesApart, proveApart } from "../engines/gpu/driver-process.ts"
import type { FoundDevice, FoundDevices } from "../engines/gpu/find-devices.ts"
import { createGpuEngine } from "../engines/gpu/gpu-engine.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { isTuned } from "../engines/gpu/tuning.ts"
import { OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import { type SensorWatch, sensorSources, watchSensors } from "../host/sensors.ts"
import type { Log } from "../log.ts"
import type { UnitDetails } from "../observe/snapshot.ts"
import { version } from "../version.ts"

export interface GpusOptions {
  /** Lists the GPUs of all drivers; replaced by tests. */
  readonly find?: (options: DriverOptions) => Promise<FoundDevices>
  /** Tries a driver that is new with a device; replaced by tests. */
  readonly prove?: typeof proveApart
  readonly settings: HashingSettings
  readonly stateDir: string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** @throws OperatorError if a selected GPU is absent, unless a driver failed, whose GPUs are not known */
export async function openGpus(options: GpusOptions): Promise<Gpus> {
  if (!looksForGpus(options.settings)) return new Gpus(options, [])
  const { gpuDevices, allowIntegrated } = options.settings
  const { devices, hasFailure } = await listed(options)
  try {
    return new Gpus(options, lockEach(selectDevices(devices, gpuDevices, allowIntegrated), options.log))
  } catch (error) {
    if (!(hasFailure && error instanceof OperatorError)) throw error
    options.log.withTag("gpu").warn(`${error.message}: no GPU is used`)
    return new Gpus(options, [])
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
  readonly #cards = new Map<Engine, FoundDevice>()
  readonly #devices = new Map<string, GpuDevice>()
  readonly #numbers = { cuda: 0, opencl: 0 }
  readonly #sensors: SensorWatch
  /** The outcome of trying a new driver; equal GPUs share it. */
  readonly #proofs = new Map<string, Promise<string | undefined>>()

  constructor(options: GpusOptions, cards: readonly FoundDevice[]) {
    this.#options = options
    for (const { device, other } of cards) this.#create(device, other)
    const pcis = cards.flatMap(({ device }) => device.pci ?? [])
    this.#sensors = watchSensors(pcis, pcis.length > 0 ? sensorSources(options.clock) : [], options.clock)
  }

  /** One engine per GPU, not started. */
  get engines(): readonly Engine[] {
    return [...this.#cards.keys()]
  }

  /** Replaces a failed engine with one that uses the other API of the same GPU; undefined without one. */
  replace(failed: Engine): Engine | undefined {
    const other = this.#cards.get(failed)?.other
    this.#cards.delete(failed)
    return other && this.#create(other, undefined)
  }

  /** Properties and sensor values of a GPU. */
  details(unit: string): UnitDetails | undefined {
    const device = this.#devices.get(unit)
    if (!device) return undefined
    const { name, pci } = device
    return { name, pci, ...(pci !== undefined && this.#sensors.of(pci)) }
  }

  #prove(device: GpuDevice): Promise<string | undefined> {
    const { clock, prove = proveApart, log } = this.#options
    const { api, platform, name, driver, architecture } = device
    const key = JSON.stringify([api, platform, name, driver, architecture])
    const known = this.#proofs.get(key)
    if (known) return known
    log.withTag("gpu").info(`the first compilation for ${name} runs in a separate process`)
    const proof = prove(device, { clock })
    this.#proofs.set(key, proof)
    return proof
  }

  #create(device: GpuDevice, other: GpuDevice | undefined): Engine {
    const { settings, stateDir, clock, log } = this.#options
    const number = this.#numbers[device.api]++
    const engine = createGpuEngine({
      device,
      number,
      batchSize: settings.gpuBatchSize,
      throttleMs: settings.gpuThrottleMs,
      recalibrate: settings.recalibrate,
      stateDir,
      version,
      random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
      clock,
      log: log.withTag("gpu"),
      prove: isTuned(device, { stateDir, version }) ? undefined : () => this.#prove(device),
    })
    const unit = `${device.api}/${number}`
    log.withTag("gpu").info(`${unit} is ${nameOf(device)}, driven by ${device.driver}`)
    this.#devices.set(unit, device)
    this.#cards.set(engine, { device, other })
    return engine
  }
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

const nameOf = ({ name, pci }: GpuDevice): string => (pci === undefined ? name : `${name} (${pci})`)
