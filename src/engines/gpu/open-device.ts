/** Opens a device: renders the program for it and lets its driver compile it. */
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

/** Options for building a program. */
export interface Build {
  /** The largest number of threads of a group. */
  readonly groupSize: number
  /** The largest number of registers of a thread (CUDA); undefined: the compiler's choice. */
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
  // Handles belong to this thread's library: the device is looked up again by index.
  const found = openClDevices(api, device.processor ? "all" : "gpu").find(({ index }) => index === device.index)
  if (!found) throw new UnsupportedDevice(`there is no OpenCL device ${device.index} any more`)
  return openOpenClCompute(api, found, renderOpenCl(), DEVICE_KERNELS, build.limbs ? ["LIMBS"] : [])
}
