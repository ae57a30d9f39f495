/** A GPU as its driver describes it. */

export type GpuApi = "cuda" | "opencl"

export interface GpuDevice {
  readonly api: GpuApi
  /** Its place in the API's own enumeration (OpenCL: over all platforms). */
  readonly index: number
  readonly name: string
  /** Bytes of memory. */
  readonly memory: number
  /** Streaming multiprocessors or compute units. */
  readonly computeUnits: number
  /** Whether it shares the host's memory. */
  readonly integrated: boolean
  /** Whether it is the host's processor that poses as a device: for tests only. */
  readonly processor: boolean
  /** Whether a display hangs on it, so that launches must be short. */
  readonly display: boolean
  /** `0000:01:00.0`, lower case; undefined where the driver does not tell. */
  readonly pci: string | undefined
  /** The card's, 32 hex digits; undefined where the driver does not tell. */
  readonly uuid: string | undefined
  /** The same of the part of a card that is all of it that is seen (MIG); undefined: all of it is. */
  readonly part: string | undefined
  /** `CUDA 12.4, driver 550.54.14`, `OpenCL 3.0 CUDA, driver 550.54.14`: API, then the driver's own version. */
  readonly driver: string
  /** `sm_90`, `OpenCL C 1.2`. */
  readonly architecture: string
}

/** What tells one card from another between two starts. */
export const deviceKey = ({ part, uuid, pci, api, index }: GpuDevice): string =>
  part ?? uuid ?? pci ?? `${api}-${index}`

/** What an API calls itself, and the driver's own version where it is known. */
export const driverText = (api: string, version: string): string => (version === "" ? api : `${api}, driver ${version}`)

/** `0000:01:00.0` of domain, bus, device and function. */
export function pciAddress(domain: number, bus: number, device: number, fn: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${hex(fn, 1)}`
}
