/** The processor as an OpenCL device (PoCL), for tests; undefined, with the reason, if absent. */
import { type OpenClApi, openOpenCl } from "../../src/engines/gpu/opencl/api.ts"
import { type OpenClDevice, openClDevices } from "../../src/engines/gpu/opencl/devices.ts"

export interface OpenClProcessor {
  readonly api: OpenClApi
  readonly device: OpenClDevice
}

export function openClProcessor(): OpenClProcessor | string {
  try {
    const api = openOpenCl()
    const device = openClDevices(api, "all").find(({ processor }) => processor)
    return device ? { api, device } : "no OpenCL platform has a processor as a device (Debian: pocl-opencl-icd)"
  } catch (error) {
    return (error as Error).message
  }
}
