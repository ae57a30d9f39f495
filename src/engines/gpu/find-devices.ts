/** The host's GPUs from all APIs, each card once. */
import { DeviceError } from "./compute.ts"
import { type CudaApi, openCuda } from "./cuda/api.ts"
import { cudaDevices } from "./cuda/devices.ts"
import type { GpuApi, GpuDevice } from "./device.ts"
import { NoDriver, UnsupportedDevice } from "./library.ts"
import { type OpenClApi, openOpenCl } from "./opencl/api.ts"
import { openClDevices } from "./opencl/devices.ts"

export interface FoundDevices {
  /** CUDA devices come first. `--gpu-devices` selects by position in this list. */
  readonly devices: readonly FoundDevice[]
  /** Why an API lists no device, one entry for each such API. */
  readonly missing: readonly string[]
  /** The entries of `missing` that report a failure of an installed driver. */
  readonly failures: readonly string[]
  /** Cards that were merged by name, memory and compute units alone, one line each. */
  readonly notes: readonly string[]
}

export interface FoundDevice {
  readonly device: GpuDevice
  /**
   * The same card by the other API or another OpenCL platform, for use if `device` fails; undefined without one.
   */
  readonly other: GpuDevice | undefined
}

export interface Drivers {
  readonly cuda: () => CudaApi
  readonly opencl: () => OpenClApi
}

const DRIVERS: Drivers = { cuda: openCuda, opencl: openOpenCl }

/** The devices of one API, or why it lists none. */
export interface Listing {
  readonly devices: readonly GpuDevice[]
  readonly missing?: string | undefined
  /** Whether `missing` reports a failure of an installed driver. */
  readonly isFailure?: boolean
}

/** Loads the drivers into this process and lists their devices. Errors of a driver are returned, not thrown. */
export const findDevices = (drivers: Drivers = DRIVERS): FoundDevices =>
  combine(
    listDevices("cuda", () => {}, drivers),
    listDevices("opencl", () => {}, drivers),
  )

/**
 * Loads the driver of one API into this process and lists its devices. Errors of the driver are returned, not thrown.
 * @param step receives what is about to be called, as the end of "the driver crashed …"
 */
export function listDevices(api: GpuApi, step: (what: string) => void, drivers: Drivers = DRIVERS): Listing {
  try {
    if (api === "cuda") return { devices: cudaDevices(drivers.cuda()) }
    const devices = openClDevices(drivers.opencl(), "gpu", step)
    if (devices.length === 0) return { devices, missing: "no GPU among the OpenCL devices" }
    return { devices: devices.map(({ handle: _, ...device }) => device) }
  } catch (error) {
    if (!(error instanceof UnsupportedDevice || error instanceof DeviceError)) throw error
    return { devices: [], missing: error.message, isFailure: !(error instanceof NoDriver) }
  }
}

export function combine(cuda: Listing, opencl: Listing): FoundDevices {
  const empty = [cuda, opencl].filter(({ missing }) => missing !== undefined)
  return {
    ...eachOnce(cuda.devices, opencl.devices),
    missing: empty.map(({ missing }) => missing!),
    failures: empty.filter(({ isFailure }) => isFailure).map(({ missing }) => missing!),
  }
}

/**
 * Merges the devices that are one card: those with equal PCI address or UUID, and, for OpenCL platforms that report
 * neither (Debian's rusticl and Clover), the n-th device of two platforms with equal name, memory and compute units.
 */
export function eachOnce(
  cuda: readonly GpuDevice[],
  opencl: readonly GpuDevice[],
): Pick<FoundDevices, "devices" | "notes"> {
  const isSame = sameness(opencl)
  const cards = opencl.filter((device, i) => !opencl.slice(0, i).some(earlier => isSame(earlier, device)))
  const again = (card: GpuDevice) => opencl.find(device => device !== card && isSame(device, card))
  const byCuda = cuda.map(device => ({ device, other: cards.find(card => isSame(card, device)) }))
  const rest = cards.filter(card => !cuda.some(device => isSame(card, device)))
  const devices = [...byCuda, ...rest.map(device => ({ device, other: again(device) }))]
  return { devices, notes: devices.flatMap(noteOf) }
}

const hasSameIdentity = (a: GpuDevice, b: GpuDevice): boolean =>
  (a.pci !== undefined && a.pci === b.pci) || (a.uuid !== undefined && a.uuid === b.uuid)

function sameness(opencl: readonly GpuDevice[]): (a: GpuDevice, b: GpuDevice) => boolean {
  const anonymous = opencl.filter(({ pci, uuid }) => pci === undefined && uuid === undefined)
  const isLike = (a: GpuDevice, b: GpuDevice) =>
    modelOf(a) === modelOf(b) && a.memory === b.memory && a.computeUnits === b.computeUnits
  /** Number of earlier devices of the same platform and model. */
  const ordinal = (device: GpuDevice) =>
    anonymous.filter(one => one.platform === device.platform && isLike(one, device)).indexOf(device)
  return (a, b) =>
    hasSameIdentity(a, b) ||
    (anonymous.includes(a) &&
      anonymous.includes(b) &&
      a.platform !== b.platform &&
      isLike(a, b) &&
      ordinal(a) === ordinal(b))
}

/** The name without what Mesa appends: `AMD Radeon RX 6800 (navi21, LLVM 15.0.6, DRM 3.49, …)`. */
const modelOf = ({ name }: GpuDevice): string => name.replace(/\s*\(.*$/, "")

function noteOf({ device, other }: FoundDevice): string[] {
  if (!other || hasSameIdentity(device, other)) return []
  return [
    `${device.name} is listed by ${device.platform} and ${other.platform}, without PCI address or UUID: treated as one card, driven by ${device.platform}`,
  ]
}
