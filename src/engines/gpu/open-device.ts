/** Opens a device by its API: the program is rendered for it, compiled by its driver, and a search is set up. */
import { DEVICE_KERNELS } from "../../kernel/device-program.ts"
import { renderOpenCl } from "../../kernel/opencl/opencl-program.ts"
import type { SumForm } from "../../kernel/ptx/ptx-ops.ts"
import { renderPtx } from "../../kernel/ptx/ptx-program.ts"
import type { Compute } from "./compute.ts"
import { openCuda } from "./cuda/api.ts"
import { openCudaCompute } from "./cuda/compute.ts"
import type { GpuDevice } from "./device.ts"
import { UnsupportedDevice } from "./library.ts"
import { openOpenCl } from "./opencl/api.ts"
import { openOpenClCompute } from "./opencl/compute.ts"
import { openClDevices } from "./opencl/devices.ts"

/** How a program is built for a device. */
export interface Build {
  /** Threads of a group, at most. */
  readonly groupSize: number
  /** Registers of a thread, at most (CUDA); undefined: the compiler's choice. */
  readonly registers?: number | undefined
  /** How carries are rendered (CUDA). */
  readonly form?: SumForm | undefined
  /** Whether products are made of 32-bit factors (OpenCL). */
  readonly limbs?: boolean | undefined
}

/** @throws UnsupportedDevice, DeviceError */
export function openDevice(device: GpuDevice, build: Build): Compute {
  if (device.api === "cuda") return openCudaCompute(openCuda(), device, renderPtx(build), DEVICE_KERNELS)
  const api = openOpenCl()
  // Handles are this thread's own: devices are found again by their place.
  const found = openClDevices(api, device.processor ? "all" : "gpu").find(({ index }) => index === device.index)
  if (!found) throw new UnsupportedDevice(`there is no OpenCL device ${device.index} any more`)
  return openOpenClCompute(api, found, renderOpenCl(), DEVICE_KERNELS, build.limbs ? ["LIMBS"] : [])
}
