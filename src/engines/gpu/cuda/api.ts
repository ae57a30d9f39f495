/** The CUDA driver's C API (cuda.h): its functions, and a call that turns an error status into a `DeviceError`. */
import { CString, type Pointer } from "bun:ffi"
import { DeviceError } from "../compute.ts"
import { type Functions, libraryNames, openEach, openLibrary, UnsupportedDevice } from "../library.ts"

/**
 * Functions of every supported driver: 384 (CUDA 9.0), whose compiler is the first to accept PTX 6.0, and later.
 * Handles and device addresses are 64-bit integers; host memory is a typed array.
 */
export const CUDA_FUNCTIONS = {
  cuInit: { args: ["u32"], returns: "i32" },
  cuDriverGetVersion: { args: ["ptr"], returns: "i32" },
  cuGetErrorName: { args: ["i32", "ptr"], returns: "i32" },
  cuDeviceGetCount: { args: ["ptr"], returns: "i32" },
  cuDeviceGet: { args: ["ptr", "i32"], returns: "i32" },
  cuDeviceGetName: { args: ["ptr", "i32", "i32"], returns: "i32" },
  cuDeviceTotalMem_v2: { args: ["ptr", "i32"], returns: "i32" },
  cuDeviceGetAttribute: { args: ["ptr", "i32", "i32"], returns: "i32" },
  cuCtxCreate_v2: { args: ["ptr", "u32", "i32"], returns: "i32" },
  cuCtxDestroy_v2: { args: ["u64"], returns: "i32" },
  cuModuleLoadDataEx: { args: ["ptr", "ptr", "u32", "ptr", "ptr"], returns: "i32" },
  cuModuleGetFunction: { args: ["ptr", "u64", "ptr"], returns: "i32" },
  cuOccupancyMaxActiveBlocksPerMultiprocessor: { args: ["ptr", "u64", "i32", "u64"], returns: "i32" },
  cuFuncGetAttribute: { args: ["ptr", "i32", "u64"], returns: "i32" },
  cuMemAlloc_v2: { args: ["ptr", "u64"], returns: "i32" },
  cuMemFree_v2: { args: ["u64"], returns: "i32" },
  cuMemsetD32Async: { args: ["u64", "u32", "u64", "u64"], returns: "i32" },
  cuMemcpyDtoHAsync_v2: { args: ["ptr", "u64", "u64", "u64"], returns: "i32" },
  cuStreamCreate: { args: ["ptr", "u32"], returns: "i32" },
  cuStreamQuery: { args: ["u64"], returns: "i32" },
  cuStreamSynchronize: { args: ["u64"], returns: "i32" },
  cuLaunchKernel: {
    args: ["u64", "u32", "u32", "u32", "u32", "u32", "u32", "u32", "u64", "ptr", "ptr"],
    returns: "i32",
  },
  cuEventCreate: { args: ["ptr", "u32"], returns: "i32" },
  cuEventRecord: { args: ["u64", "u64"], returns: "i32" },
  cuEventSynchronize: { args: ["u64"], returns: "i32" },
  cuEventDestroy_v2: { args: ["u64"], returns: "i32" },
} as const

/** Functions that some supported drivers lack: `cuDeviceGetUuid` came with 396, `cuDeviceGetUuid_v2` with 470. */
const NEWER_FUNCTIONS = {
  cuDeviceGetUuid: { args: ["ptr", "i32"], returns: "i32" },
  cuDeviceGetUuid_v2: { args: ["ptr", "i32"], returns: "i32" },
} as const

export type CudaFunctions = Functions<typeof CUDA_FUNCTIONS> & Partial<Functions<typeof NEWER_FUNCTIONS>>

type Arguments<Name extends keyof CudaFunctions> = Parameters<NonNullable<CudaFunctions[Name]>>

/** Names of the library by platform, in the order they are tried. */
export const CUDA_LIBRARY = { linux: ["libcuda.so.1"], win32: ["nvcuda.dll"] } as const

/** CUdevice_attribute. */
export const Attribute = {
  integrated: 18,
  computeUnits: 16,
  kernelTimeout: 17,
  pciBus: 33,
  pciDevice: 34,
  pciDomain: 50,
  major: 75,
  minor: 76,
} as const

/** CU_FUNC_ATTRIBUTE_NUM_REGS. */
export const REGISTERS = 4

/** CU_CTX_SCHED_BLOCKING_SYNC, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING, CU_STREAM_NON_BLOCKING. */
export const CONTEXT_FLAGS = 4
export const EVENT_FLAGS = 1 | 2
export const STREAM_FLAGS = 1

/** CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES. */
export const JIT_ERROR_LOG = 5
export const JIT_ERROR_LOG_BYTES = 6

const NAMES: Record<number, string> = {
  2: "CUDA_ERROR_OUT_OF_MEMORY",
  3: "CUDA_ERROR_NOT_INITIALIZED",
  100: "CUDA_ERROR_NO_DEVICE",
  218: "CUDA_ERROR_INVALID_PTX",
  222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
  700: "CUDA_ERROR_ILLEGAL_ADDRESS",
  702: "CUDA_ERROR_LAUNCH_TIMEOUT",
  719: "CUDA_ERROR_LAUNCH_FAILED",
}

export class CudaApi {
  readonly #functions: CudaFunctions

  constructor(functions: CudaFunctions) {
    this.#functions = functions
  }

  /** Calls a function of every driver. @throws DeviceError with the driver's name of the error */
  call<Name extends keyof CudaFunctions>(name: Name, ...args: Arguments<Name>): void {
    const status = this.#invoke(name, ...args)
    if (status !== 0) throw new DeviceError(name, this.errorName(status))
  }

  /** Calls a function. @returns whether the driver has it and it succeeded */
  attempt<Name extends keyof CudaFunctions>(name: Name, ...args: Arguments<Name>): boolean {
    return this.#functions[name] !== undefined && this.#invoke(name, ...args) === 0
  }

  errorName(status: number): string {
    const name = new BigUint64Array(1)
    if (this.#functions.cuGetErrorName(status, name) !== 0 || name[0] === 0n)
      return NAMES[status] ?? `CUDA error ${status}`
    return new CString(Number(name[0]) as Pointer).toString()
  }

  #invoke<Name extends keyof CudaFunctions>(name: Name, ...args: Arguments<Name>): number {
    return (this.#functions[name] as (...args: unknown[]) => number)(...args)
  }
}

/**
 * Opens and initialises the host's driver.
 * @throws UnsupportedDevice if the driver is absent or drives no device
 */
export function openCuda(platform: NodeJS.Platform = process.platform): CudaApi {
  const names = libraryNames(CUDA_LIBRARY, platform)
  const library = openLibrary("CUDA", names, CUDA_FUNCTIONS)
  return initialise(new CudaApi({ ...library.symbols, ...openEach(names, NEWER_FUNCTIONS) }))
}

/** @throws UnsupportedDevice if the driver finds no device */
export function initialise(api: CudaApi): CudaApi {
  try {
    api.call("cuInit", 0)
    return api
  } catch (error) {
    if (error instanceof DeviceError) throw new UnsupportedDevice(`no CUDA device: ${error.message}`)
    throw error
  }
}
