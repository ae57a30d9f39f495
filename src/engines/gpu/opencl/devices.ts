/** The devices of every OpenCL platform. */
import { driverText, type GpuDevice, pciAddress } from "../device.ts"
import { textOf } from "../library.ts"
import { DeviceInfo, DeviceType, type OpenClApi, PLATFORM_NAME } from "./api.ts"

/** The largest number of platforms, and of devices of one platform. */
const MAX_LISTED = 64

/** A device and its handle. */
export interface OpenClDevice extends GpuDevice {
  readonly api: "opencl"
  readonly handle: bigint
}

/**
 * @param types `gpu`, or `all` to include processors
 * @param step receives what is about to be called
 * @returns an empty list if no platform is installed
 */
export function openClDevices(
  api: OpenClApi,
  types: "gpu" | "all" = "gpu",
  step: (what: string) => void = () => {},
): OpenClDevice[] {
  step("while its platforms were loaded")
  const listed = platforms(api).flatMap(platform => {
    const name = platformName(api, platform)
    step(`while the devices of the platform ${name} were listed`)
    return handlesOf(api, platform, DeviceType[types]).map(handle => ({ handle, name }))
  })
  return listed.map(({ handle, name }, index) => describe(api, handle, index, name))
}

function platforms(api: OpenClApi): bigint[] {
  const count = new Uint32Array(1)
  const platforms = new BigUint64Array(MAX_LISTED)
  return api.attempt("clGetPlatformIDs", MAX_LISTED, platforms, count) ? [...platforms.subarray(0, count[0]!)] : []
}

function platformName(api: OpenClApi, platform: bigint): string {
  const name = new Uint8Array(256)
  return api.attempt("clGetPlatformInfo", platform, PLATFORM_NAME, BigInt(name.length), name, null) ? textOf(name) : ""
}

function handlesOf(api: OpenClApi, platform: bigint, type: bigint): bigint[] {
  const count = new Uint32Array(1)
  const devices = new BigUint64Array(MAX_LISTED)
  const found = api.attempt("clGetDeviceIDs", platform, type, MAX_LISTED, devices, count)
  return found ? [...devices.subarray(0, count[0]!)] : []
}

/** Bytes of a device's answer that is a text; lists of extensions are the longest. */
const TEXT_BYTES = 16_384

/** Queries that a device supports only with an extension. */
const EXTENSION_OF: Readonly<Partial<Record<number, string>>> = {
  [DeviceInfo.uuid]: "cl_khr_device_uuid",
  [DeviceInfo.pciBus]: "cl_khr_pci_bus_info",
  [DeviceInfo.boardNameAmd]: "cl_amd_device_attribute_query",
  [DeviceInfo.topologyAmd]: "cl_amd_device_attribute_query",
  [DeviceInfo.pciBusNvidia]: "cl_nv_device_attribute_query",
  [DeviceInfo.pciSlotNvidia]: "cl_nv_device_attribute_query",
  [DeviceInfo.pciDomainNvidia]: "cl_nv_device_attribute_query",
}

function describe(api: OpenClApi, handle: bigint, index: number, platform: string): OpenClDevice {
  const ask = (name: number, bytes: number): DataView | undefined => {
    const answer = new Uint8Array(bytes)
    const answered = api.attempt("clGetDeviceInfo", handle, name, BigInt(bytes), answer, null)
    return answered ? new DataView(answer.buffer) : undefined
  }
  const textFrom = (answer: DataView | undefined): string =>
    answer === undefined ? "" : textOf(new Uint8Array(answer.buffer))
  const extensions = new Set(textFrom(ask(DeviceInfo.extensions, TEXT_BYTES)).split(/\s+/))
  const info = (name: number, bytes: number): DataView | undefined => {
    const extension = EXTENSION_OF[name]
    return extension === undefined || extensions.has(extension) ? ask(name, bytes) : undefined
  }
  const text = (name: number): string => textFrom(info(name, TEXT_BYTES))
  const uuid = info(DeviceInfo.uuid, 16)
  return {
    api: "opencl",
    platform,
    handle,
    processor: ((info(DeviceInfo.type, 8)?.getBigUint64(0, true) ?? 0n) & DeviceType.processor) !== 0n,
    index,
    name: text(DeviceInfo.boardNameAmd) || text(DeviceInfo.name),
    memory: Number(info(DeviceInfo.memory, 8)?.getBigUint64(0, true) ?? 0n),
    computeUnits: info(DeviceInfo.computeUnits, 4)?.getUint32(0, true) ?? 1,
    integrated: info(DeviceInfo.unifiedMemory, 4)?.getUint32(0, true) === 1,
    display: false,
    pci: pciOf(info),
    uuid: uuid === undefined ? undefined : new Uint8Array(uuid.buffer).toHex(),
    part: undefined,
    driver: driverText(text(DeviceInfo.version), text(DeviceInfo.driverVersion)),
    architecture: text(DeviceInfo.languageVersion),
  }
}

/** `cl_khr_pci_bus_info` if present, else AMD's or NVIDIA's own query. */
function pciOf(info: (name: number, bytes: number) => DataView | undefined): string | undefined {
  const standard = info(DeviceInfo.pciBus, 16)
  if (standard !== undefined) {
    const [domain, bus, device, fn] = [0, 4, 8, 12].map(at => standard.getUint32(at, true))
    return pciAddress(domain!, bus!, device!, fn!)
  }
  const amd = info(DeviceInfo.topologyAmd, 24)
  if (amd?.getUint32(0, true) === 1) return pciAddress(0, amd.getUint8(21), amd.getUint8(22), amd.getUint8(23))
  const bus = info(DeviceInfo.pciBusNvidia, 4)?.getUint32(0, true)
  if (bus === undefined) return undefined
  const slot = info(DeviceInfo.pciSlotNvidia, 4)?.getUint32(0, true) ?? 0
  return pciAddress(info(DeviceInfo.pciDomainNvidia, 4)?.getUint32(0, true) ?? 0, bus, slot >> 3, slot & 7)
}
