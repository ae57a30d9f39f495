/** The host's GPUs from all APIs, each card once. */
import { DeviceError } from "./compute.ts"
import { type CudaApi, openCuda } from "./cuda/api.ts"
import { cudaDevices } from "./cuda/devices.ts"
import type { GpuDevice } from "./device.ts"
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

/** Loads the drivers into this process and lists their devices. Errors of a driver are returned, not thrown. */
export function findDevices(drivers: Drivers = DRIVERS): FoundDevices {
  const missing: string[] = []
  const failures: string[] = []
  const listed = (list: () => GpuDevice[]): GpuDevice[] => {
    try {
      return list()
    } catch (error) {
      if (!(error instanceof UnsupportedDevice || error instanceof DeviceError)) throw error
      missing.push(error.message)
      if (!(error instanceof NoDriver)) failures.push(error.message)
      return []
    }
  }
  const cuda = listed(() => cudaDevices(drivers.cuda()))
  const opencl = listed(() => {
    const devices = openClDevices(drivers.opencl())
    if (devices.length === 0) missing.push("no GPU among the OpenCL devices")
    return devices.map(({ handle: _, ...device }) => device)
  })
  return { ...eachOnce(cuda, opencl), missing, failures }
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
