/** A GPU as its driver describes it. */

export type GpuApi = "cuda" | "opencl"

export interface GpuDevice {
  readonly api: GpuApi
  /** Index in the API's own enumeration (OpenCL: over all platforms). */
  readonly index: number
  /** Name of the OpenCL platform; undefined for CUDA. */
  readonly platform?: string | undefined
  readonly name: string
  /** Bytes of memory. */
  readonly memory: number
  /** Streaming multiprocessors or compute units. */
  readonly computeUnits: number
  /** Whether it shares the host's memory. */
  readonly integrated: boolean
  /** Whether it is the host's processor listed as a device: for tests only. */
  readonly processor: boolean
  /** Whether it drives a display, so that launches must be short. */
  readonly display: boolean
  /** `0000:01:00.0`, lower case; undefined if the driver does not report it. */
  readonly pci: string | undefined
  /** UUID of the card, 32 hex digits; undefined if the driver does not report it. */
  readonly uuid: string | undefined
  /** UUID of the MIG instance if only one is visible; undefined for a whole card. */
  readonly part: string | undefined
  /** API, then the driver's own version: `CUDA 12.4, driver 550.54.14`, `OpenCL 3.0 CUDA, driver 550.54.14`. */
  readonly driver: string
  /** `sm_90`, `OpenCL C 1.2`. */
  readonly architecture: string
}

/** The identity of a card across restarts. */
export const deviceKey = ({ part, uuid, pci, api, index }: GpuDevice): string =>
  part ?? uuid ?? pci ?? `${api}-${index}`

/** `api`, then the driver's own version if it is known. */
export const driverText = (api: string, version: string): string => (version === "" ? api : `${api}, driver ${version}`)

/** `0000:01:00.0` of domain, bus, device and function. */
export function pciAddress(domain: number, bus: number, device: number, fn: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${hex(fn, 1)}`
}
