/** Opens a device: renders the program and has the driver compile it. */
import { DEVICE_KERNELS } from "../../kernel/device-program.ts"
import { renderOpenCl } from "../../kernel/opencl/opencl-program.ts"
import { type PtxForm, renderPtx } from "../../kernel/ptx/ptx-program.ts"
import type { Compute } from "./compute.ts"
import { openCuda } from "./cuda/api.ts"
import { openCudaCompute } from "./cuda/compute.ts"
import type { GpuDevice } from "./device.ts"
import { UnsupportedDevice } from "./library.ts"
import { openOpenCl } from "./opencl/api.ts"
import { openOpenClCompute } from "./opencl/compute.ts"
import { openClDevices } from "./opencl/devices.ts"

/** Options for building the program. */
export interface Build {
  /** Maximum threads of a group. */
  readonly groupSize: number
  /** Maximum registers of a thread (CUDA); undefined leaves the choice to the compiler. */
  readonly registers?: number | undefined
  /** The form of the arithmetic (CUDA); `pairs` by default. */
  readonly form?: PtxForm | undefined
  /** Whether the hash contains every round once, so that it fits an instruction cache. */
  readonly rolled?: boolean | undefined
}

/**
 * Opens a device on the calling thread.
 * @throws UnsupportedDevice if the driver or the device is absent, DeviceError if the driver reports an error
 */
export function openDevice(device: GpuDevice, build: Build): Compute {
  if (device.api === "cuda") return openCudaCompute(openCuda(), device, renderPtx(build), DEVICE_KERNELS)
  const api = openOpenCl()
  // Handles are valid only in the thread that loaded the library, so the device is looked up by index.
  const found = openClDevices(api, device.processor ? "all" : "gpu").find(({ index }) => index === device.index)
  if (!found) throw new UnsupportedDevice(`OpenCL device ${device.index} is no longer available`)
  return openOpenClCompute(api, found, renderOpenCl(build), DEVICE_KERNELS)
}
