/** Calls into a driver that may hang or crash, in a child process. */
import type { GpuApi, GpuDevice } from "./device.ts"
import { type Listing, listDevices } from "./find-devices.ts"
import { UnsupportedDevice } from "./library.ts"
import { proveBuilds } from "./tuning.ts"

/** List the devices of an API, or compile and test every build for a device. */
export type DriverOrder =
  | { readonly kind: "list"; readonly api: GpuApi }
  | { readonly kind: "prove"; readonly device: GpuDevice }

/** `step`: what is about to be called, as the end of "the driver crashed …". */
export type DriverReport =
  | { readonly kind: "step"; readonly what: string }
  | { readonly kind: "listed"; readonly listing: Listing }

export function callDriver(order: DriverOrder, report: (report: DriverReport) => void): void {
  const step = (what: string) => report({ kind: "step", what })
  if (order.kind === "list") report({ kind: "listed", listing: listDevices(order.api, step) })
  else prove(order.device, step)
}

function prove(device: GpuDevice, step: (what: string) => void): void {
  try {
    proveBuilds(device, build => step(`while build ${build + 1} was compiled and tested for ${device.name}`))
  } catch (error) {
    // The miner's own attempt reports it.
    if (!(error instanceof UnsupportedDevice)) throw error
  }
}
