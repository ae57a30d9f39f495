/** The GPUs of this machine over all APIs, each card once. */
import { DeviceError } from "./compute.ts"
import { type CudaApi, openCuda } from "./cuda/api.ts"
import { cudaDevices } from "./cuda/devices.ts"
import type { GpuDevice } from "./device.ts"
import { NoDriver, UnsupportedDevice } from "./library.ts"
import { type OpenClApi, openOpenCl } from "./opencl/api.ts"
import { openClDevices } from "./opencl/devices.ts"

export interface FoundDevices {
  /** CUDA's first; a device's place in here is the index that it is picked by. */
  readonly devices: readonly FoundDevice[]
  /** Why an API gave none, by API. */
  readonly missing: readonly string[]
  /** Those of them that are failures of a driver that is there. */
  readonly failures: readonly string[]
}

export interface FoundDevice {
  readonly device: GpuDevice
  /** The same card by the other API, or another OpenCL platform, for where the first cannot be used. */
  readonly other: GpuDevice | undefined
}

export interface Drivers {
  readonly cuda: () => CudaApi
  readonly opencl: () => OpenClApi
}

const DRIVERS: Drivers = { cuda: openCuda, opencl: openOpenCl }

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
    return devices
  })
  return { devices: eachOnce(cuda, opencl), missing, failures }
}

/** Tells a card that both APIs, or several OpenCL platforms, list by its PCI address or UUID. */
export function eachOnce(cuda: readonly GpuDevice[], opencl: readonly GpuDevice[]): FoundDevice[] {
  const cards = opencl.filter((device, i) => !opencl.slice(0, i).some(earlier => isSame(earlier, device)))
  const again = (card: GpuDevice) => opencl.find(device => device !== card && isSame(device, card))
  const byCuda = cuda.map(device => ({ device, other: cards.find(card => isSame(card, device)) }))
  const rest = cards.filter(card => !cuda.some(device => isSame(card, device)))
  return [...byCuda, ...rest.map(device => ({ device, other: again(device) }))]
}

const isSame = (a: GpuDevice, b: GpuDevice): boolean =>
  (a.pci !== undefined && a.pci === b.pci) || (a.uuid !== undefined && a.uuid === b.uuid)
