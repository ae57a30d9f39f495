/** Calls into a driver that may hang or crash, in a child process. */
import type { GpuApi, GpuDevice } from "./device.ts"
import { type Listing, listDevices } from "./find-devices.ts"
import { UnsupportedDevice } from "./library.ts"
import type { Build } from "./open-device.ts"
import { type Tuning, tryBuilds } from "./tuning.ts"

/** List the devices of an API, or compile, test and measure the builds of a device. */
export type DriverOrder =
  | { readonly kind: "list"; readonly api: GpuApi }
  | { readonly kind: "tune"; readonly device: GpuDevice }

export type DriverReport =
  /** What is about to be called, as the end of "the driver crashed …". */
  | { readonly kind: "step"; readonly what: string }
  | { readonly kind: "listed"; readonly listing: Listing }
  | TuningReport

/** `TuningEvents` as messages. */
export type TuningReport =
  | { readonly kind: "begun"; readonly place: number; readonly build: Build }
  | { readonly kind: "proved"; readonly build: Build }
  | { readonly kind: "measured"; readonly tuning: Tuning }
  | { readonly kind: "left"; readonly build: Build; readonly why: string }

export async function callDriver(order: DriverOrder, report: (report: DriverReport) => void): Promise<void> {
  if (order.kind === "tune") await tune(order.device, report)
  else report({ kind: "listed", listing: listDevices(order.api, what => report({ kind: "step", what })) })
}

async function tune(device: GpuDevice, report: (report: TuningReport) => void): Promise<void> {
  try {
    await tryBuilds(device, () => performance.now(), {
      begun: (place, build) => report({ kind: "begun", place, build }),
      proved: build => report({ kind: "proved", build }),
      measured: tuning => report({ kind: "measured", tuning }),
      left: (build, why) => report({ kind: "left", build, why }),
    })
  } catch (error) {
    // The miner's own attempt reports it.
    if (!(error instanceof UnsupportedDevice)) throw error
  }
}
