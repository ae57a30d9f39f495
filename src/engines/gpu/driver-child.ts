/** Calls into a driver that may hang or crash, in a child process. */
import { systemClock } from "../../clock.ts"
import { sensorSources } from "../../host/sensors.ts"
import type { GpuApi, GpuDevice } from "./device.ts"
import { type Listing, listDevices } from "./find-devices.ts"
import { UnsupportedDevice } from "./library.ts"
import type { Build } from "./open-device.ts"
import { type Tried, tryBuilds } from "./tuning.ts"

/** List the devices of an API, or compile, test and measure builds for a device. */
export type DriverOrder =
  | { readonly kind: "list"; readonly api: GpuApi }
  | {
      readonly kind: "try"
      readonly device: GpuDevice
      readonly builds: readonly Build[]
      /** Whether to read the power of the busy device. */
      readonly readsPower: boolean
    }

export type DriverReport =
  /** What is about to be called, as the end of "the driver crashed …". */
  | { readonly kind: "step"; readonly what: string }
  | { readonly kind: "listed"; readonly listing: Listing }
  | TuningReport

/** A build and its outcome; the reading is its power in watts. */
export type TriedBuild = Tried<number | undefined>

/** `TuningEvents` as messages. */
export type TuningReport =
  | { readonly kind: "begun" | "proved"; readonly build: Build }
  | { readonly kind: "tried"; readonly build: Build; readonly outcome: TriedBuild }

export async function callDriver(order: DriverOrder, report: (report: DriverReport) => void): Promise<void> {
  if (order.kind === "try") await tryOrdered(order, report)
  else report({ kind: "listed", listing: listDevices(order.api, what => report({ kind: "step", what })) })
}

async function tryOrdered(
  { device, builds, readsPower }: Extract<DriverOrder, { kind: "try" }>,
  report: (report: TuningReport) => void,
): Promise<void> {
  const events = {
    begun: (build: Build) => report({ kind: "begun", build }),
    proved: (build: Build) => report({ kind: "proved", build }),
    tried: (build: Build, outcome: TriedBuild) => report({ kind: "tried", build, outcome }),
  }
  try {
    const read = readsPower ? powerOf(device) : undefined
    await tryBuilds(device, builds, events, { now: () => performance.now(), ...(read && { read }) })
  } catch (error) {
    // The miner's own attempt reports it.
    if (!(error instanceof UnsupportedDevice)) throw error
  }
}

/** Reads watts; undefined if they cannot be read. */
function powerOf({ pci }: GpuDevice): () => Promise<number | undefined> {
  const sources = pci === undefined ? [] : sensorSources(systemClock)
  return async () => {
    for (const source of sources) {
      const reading = await source.read(pci!)
      if (reading) return reading.powerWatts
    }
    return undefined
  }
}
