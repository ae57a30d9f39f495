/** OpenCL 1.2's C API (CL/cl.h): its functions, and a call that turns an error status into a `DeviceError`. */
import { DeviceError } from "../compute.ts"
import { type Functions, libraryNames, openLibrary } from "../library.ts"

/** Handles and sizes are 64-bit integers; host memory is a typed array. */
export const OPENCL_FUNCTIONS = {
  clGetPlatformInfo: { args: ["u64", "u32", "u64", "ptr", "ptr"], returns: "i32" },
  clGetPlatformIDs: { args: ["u32", "ptr", "ptr"], returns: "i32" },
  clGetDeviceIDs: { args: ["u64", "u64", "u32", "ptr", "ptr"], returns: "i32" },
  clGetDeviceInfo: { args: ["u64", "u32", "u64", "ptr", "ptr"], returns: "i32" },
  clBuildProgram: { args: ["u64", "u32", "ptr", "ptr", "u64", "u64"], returns: "i32" },
  clGetProgramBuildInfo: { args: ["u64", "u64", "u32", "u64", "ptr", "ptr"], returns: "i32" },
  clSetKernelArg: { args: ["u64", "u32", "u64", "ptr"], returns: "i32" },
  clEnqueueFillBuffer: { args: ["u64", "u64", "ptr", "u64", "u64", "u64", "u32", "ptr", "ptr"], returns: "i32" },
  clEnqueueNDRangeKernel: { args: ["u64", "u64", "u32", "ptr", "ptr", "ptr", "u32", "ptr", "ptr"], returns: "i32" },
  clEnqueueMarkerWithWaitList: { args: ["u64", "u32", "ptr", "ptr"], returns: "i32" },
  clEnqueueReadBuffer: { args: ["u64", "u64", "u32", "u64", "u64", "ptr", "u32", "ptr", "ptr"], returns: "i32" },
  clFlush: { args: ["u64"], returns: "i32" },
  clFinish: { args: ["u64"], returns: "i32" },
  clGetEventInfo: { args: ["u64", "u32", "u64", "ptr", "ptr"], returns: "i32" },
  clWaitForEvents: { args: ["u32", "ptr"], returns: "i32" },
  clReleaseEvent: { args: ["u64"], returns: "i32" },
  clReleaseMemObject: { args: ["u64"], returns: "i32" },
  clReleaseKernel: { args: ["u64"], returns: "i32" },
  clReleaseProgram: { args: ["u64"], returns: "i32" },
  clReleaseCommandQueue: { args: ["u64"], returns: "i32" },
  clReleaseContext: { args: ["u64"], returns: "i32" },
} as const

/** Functions that return a handle and write their status to the last argument. */
export const OPENCL_MAKERS = {
  clCreateContext: { args: ["ptr", "u32", "ptr", "ptr", "ptr", "ptr"], returns: "u64" },
  clCreateCommandQueue: { args: ["u64", "u64", "u64", "ptr"], returns: "u64" },
  clCreateProgramWithSource: { args: ["u64", "u32", "ptr", "ptr", "ptr"], returns: "u64" },
  clCreateKernel: { args: ["u64", "ptr", "ptr"], returns: "u64" },
  clCreateBuffer: { args: ["u64", "u64", "u64", "ptr", "ptr"], returns: "u64" },
} as const

export type OpenClFunctions = Functions<typeof OPENCL_FUNCTIONS>
export type OpenClMakers = {
  readonly [Name in keyof typeof OPENCL_MAKERS]: (
    ...args: Parameters<Functions<typeof OPENCL_MAKERS>[Name]>
  ) => bigint | number
}

/** Names of the library by platform, in the order they are tried. */
export const OPENCL_LIBRARY = {
  linux: ["libOpenCL.so.1", "libOpenCL.so"],
  win32: ["OpenCL.dll"],
  darwin: ["/System/Library/Frameworks/OpenCL.framework/OpenCL"],
} as const

/** CL_PLATFORM_NAME. */
export const PLATFORM_NAME = 0x0902

/** CL_DEVICE_…: queries of `clGetDeviceInfo`. */
export const DeviceInfo = {
  type: 0x1000,
  computeUnits: 0x1002,
  memory: 0x101f,
  name: 0x102b,
  driverVersion: 0x102d,
  version: 0x102f,
  extensions: 0x1030,
  languageVersion: 0x103d,
  unifiedMemory: 0x1035,
  uuid: 0x106a,
  pciBusNvidia: 0x4008,
  pciSlotNvidia: 0x4009,
  pciDomainNvidia: 0x400a,
  topologyAmd: 0x4037,
  boardNameAmd: 0x4038,
  pciBus: 0x410f,
} as const

/** CL_DEVICE_TYPE_…, a bit field. */
export const DeviceType = { processor: 2n, gpu: 4n, all: 0xffff_ffffn } as const

/** CL_PROGRAM_BUILD_LOG. */
export const BUILD_LOG = 0x1183

/** CL_EVENT_COMMAND_EXECUTION_STATUS: above CL_COMPLETE while the command is pending, below if it failed. */
export const EVENT_STATUS = 0x11d3
export const COMPLETE = 0

const NAMES: Record<number, string> = {
  [-1]: "CL_DEVICE_NOT_FOUND",
  [-2]: "CL_DEVICE_NOT_AVAILABLE",
  [-4]: "CL_MEM_OBJECT_ALLOCATION_FAILURE",
  [-5]: "CL_OUT_OF_RESOURCES",
  [-6]: "CL_OUT_OF_HOST_MEMORY",
  [-11]: "CL_BUILD_PROGRAM_FAILURE",
  [-14]: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
  [-30]: "CL_INVALID_VALUE",
  [-34]: "CL_INVALID_CONTEXT",
  [-36]: "CL_INVALID_COMMAND_QUEUE",
  [-46]: "CL_INVALID_KERNEL_NAME",
  [-51]: "CL_INVALID_ARG_SIZE",
  [-52]: "CL_INVALID_KERNEL_ARGS",
  [-54]: "CL_INVALID_WORK_GROUP_SIZE",
  [-1001]: "CL_PLATFORM_NOT_FOUND_KHR",
}

export class OpenClApi {
  readonly #functions: OpenClFunctions
  readonly #makers: OpenClMakers

  constructor(functions: OpenClFunctions, makers: OpenClMakers) {
    this.#functions = functions
    this.#makers = makers
  }

  /** @throws DeviceError */
  call<Name extends keyof OpenClFunctions>(name: Name, ...args: Parameters<OpenClFunctions[Name]>): void {
    const status = this.#invoke(name, ...args)
    if (status !== 0) throw new DeviceError(name, openClErrorName(status))
  }

  /** @returns whether the call succeeded */
  attempt<Name extends keyof OpenClFunctions>(name: Name, ...args: Parameters<OpenClFunctions[Name]>): boolean {
    return this.#invoke(name, ...args) === 0
  }

  /** Calls a function that returns a handle; the status argument is appended. @throws DeviceError */
  make<Name extends keyof OpenClMakers>(name: Name, ...args: unknown[]): bigint {
    const status = new Int32Array(1)
    const handle = (this.#makers[name] as (...args: unknown[]) => bigint | number)(...args, status)
    if (status[0] !== 0) throw new DeviceError(name, openClErrorName(status[0]!))
    return BigInt(handle)
  }

  #invoke<Name extends keyof OpenClFunctions>(name: Name, ...args: Parameters<OpenClFunctions[Name]>): number {
    return (this.#functions[name] as (...args: unknown[]) => number)(...args)
  }
}

export const openClErrorName = (status: number): string => NAMES[status] ?? `OpenCL error ${status}`

/** Opens the host's ICD loader. @throws UnsupportedDevice if it is absent */
export function openOpenCl(platform: NodeJS.Platform = process.platform): OpenClApi {
  const names = libraryNames(OPENCL_LIBRARY, platform)
  const library = openLibrary("OpenCL", names, { ...OPENCL_FUNCTIONS, ...OPENCL_MAKERS })
  return new OpenClApi(library.symbols as unknown as OpenClFunctions, library.symbols as unknown as OpenClMakers)
}
