/** The devices of every OpenCL platform. */
import { driverText, type GpuDevice, pciAddress } from "../device.ts"
import { textOf } from "../library.ts"
import { DeviceInfo, DeviceType, type OpenClApi } from "./api.ts"

const MOST = 64

/** A device and the handle that its platform knows it by. */
export interface OpenClDevice extends GpuDevice {
  readonly api: "opencl"
  readonly handle: bigint
}

/**
 * @param types which devices count; processors that pose as devices do not, unless asked for
 * @returns none where no platform is installed
 */
export function openClDevices(api: OpenClApi, types: "gpu" | "all" = "gpu"): OpenClDevice[] {
  const handles = platforms(api).flatMap(platform => handlesOf(api, platform, DeviceType[types]))
  return handles.map((handle, index) => describe(api, handle, index))
}

function platforms(api: OpenClApi): bigint[] {
  const count = new Uint32Array(1)
  const platforms = new BigUint64Array(MOST)
  return api.attempt("clGetPlatformIDs", MOST, platforms, count) ? [...platforms.subarray(0, count[0]!)] : []
}

function handlesOf(api: OpenClApi, platform: bigint, type: bigint): bigint[] {
  const count = new Uint32Array(1)
  const devices = new BigUint64Array(MOST)
  const found = api.attempt("clGetDeviceIDs", platform, type, MOST, devices, count)
  return found ? [...devices.subarray(0, count[0]!)] : []
}

function describe(api: OpenClApi, handle: bigint, index: number): OpenClDevice {
  const info = (name: number, bytes: number): DataView | undefined => {
    const answer = new Uint8Array(bytes)
    const told = api.attempt("clGetDeviceInfo", handle, name, BigInt(bytes), answer, null)
    return told ? new DataView(answer.buffer) : undefined
  }
  const text = (name: number): string => {
    const answer = info(name, 1024)
    return answer === undefined ? "" : textOf(new Uint8Array(answer.buffer))
  }
  const uuid = info(DeviceInfo.uuid, 16)
  return {
    api: "opencl",
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

/** The standard's extension first, then the vendors' own. */
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
