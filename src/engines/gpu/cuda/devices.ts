/** The devices that the CUDA driver sees. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { nvmlDriverVersion } from "../../../host/nvml/driver-version.ts"
import { driverText, type GpuDevice, pciAddress } from "../device.ts"
import { textOf } from "../library.ts"
import { Attribute, type CudaApi } from "./api.ts"

/**
 * Lists the devices.
 * @param root the directory that contains `sys`: `/` outside tests
 * @param nvmlVersion the driver's version by NVML, for systems without NVIDIA's kernel module; tests may replace it
 * @throws DeviceError
 */
export function cudaDevices(api: CudaApi, root = "/", nvmlVersion = nvmlDriverVersion): GpuDevice[] {
  const count = new Int32Array(1)
  api.call("cuDeviceGetCount", count)
  const driver = driverText(`CUDA ${cudaVersion(api)}`, moduleVersion(root) ?? nvmlVersion() ?? "")
  return Array.from({ length: count[0]! }, (_, index) => describe(api, index, driver))
}

/** The driver's handle for the device at `index`. */
export function cudaHandle(api: CudaApi, index: number): number {
  const handle = new Int32Array(1)
  api.call("cuDeviceGet", handle, index)
  return handle[0]!
}

function describe(api: CudaApi, index: number, driver: string): GpuDevice {
  const handle = cudaHandle(api, index)
  const attribute = (name: number): number => {
    const value = new Int32Array(1)
    api.call("cuDeviceGetAttribute", value, name, handle)
    return value[0]!
  }
  const name = new Uint8Array(256)
  api.call("cuDeviceGetName", name, name.length, handle)
  const memory = new BigUint64Array(1)
  api.call("cuDeviceTotalMem_v2", memory, handle)
  const id = (of: "cuDeviceGetUuid" | "cuDeviceGetUuid_v2"): string | undefined => {
    const uuid = new Uint8Array(16)
    return api.attempt(of, uuid, handle) ? uuid.toHex() : undefined
  }
  const [card, own] = [id("cuDeviceGetUuid"), id("cuDeviceGetUuid_v2")]
  return {
    api: "cuda",
    index,
    name: textOf(name),
    memory: Number(memory[0]),
    computeUnits: attribute(Attribute.computeUnits),
    integrated: attribute(Attribute.integrated) !== 0,
    processor: false,
    display: attribute(Attribute.kernelTimeout) !== 0,
    pci: pciAddress(attribute(Attribute.pciDomain), attribute(Attribute.pciBus), attribute(Attribute.pciDevice), 0),
    uuid: card,
    part: own === card ? undefined : own,
    driver,
    architecture: `sm_${attribute(Attribute.major)}${attribute(Attribute.minor)}`,
  }
}

/** The newest CUDA version that the driver supports; many driver releases share one. */
function cudaVersion(api: CudaApi): string {
  const version = new Int32Array(1)
  api.call("cuDriverGetVersion", version)
  return `${Math.floor(version[0]! / 1000)}.${Math.floor((version[0]! % 1000) / 10)}`
}

/** The version of the kernel module, which is the driver's on Linux; undefined on WSL2 and Windows. */
function moduleVersion(root: string): string | undefined {
  try {
    return readFileSync(join(root, "sys/module/nvidia/version"), "utf8").trim()
  } catch {
    return undefined
  }
}
