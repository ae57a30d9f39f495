/** One CUDA device: a context, a module that the driver compiles from PTX, a stream as queue and one for reads. */
import { ptr } from "bun:ffi"
import { type Argument, type Compute, DeviceError, type Fence, type Memory, QUEUES, type Queue } from "../compute.ts"
import type { GpuDevice } from "../device.ts"
import { textOf } from "../library.ts"
import {
  CONTEXT_FLAGS,
  type CudaApi,
  EVENT_FLAGS,
  JIT_ERROR_LOG,
  JIT_ERROR_LOG_BYTES,
  REGISTERS,
  STREAM_FLAGS,
} from "./api.ts"
import { cudaHandle } from "./devices.ts"

const LOG_BYTES = 4096

/**
 * Opens the device in a dedicated context, current on this thread.
 * @param ptx the module's text
 * @param kernels names of its kernels
 * @throws DeviceError, with the compiler's log if it refuses the text
 */
export function openCudaCompute(api: CudaApi, device: GpuDevice, ptx: string, kernels: readonly string[]): Compute {
  const one = new BigUint64Array(1)
  api.call("cuCtxCreate_v2", one, CONTEXT_FLAGS, cudaHandle(api, device.index))
  const context = one[0]!
  try {
    return new CudaCompute(api, device, context, new CudaModule(api, ptx), kernels)
  } catch (error) {
    api.attempt("cuCtxDestroy_v2", context)
    throw error
  }
}

class CudaCompute implements Compute {
  readonly #queues: readonly bigint[]
  readonly #reads: bigint
  readonly #functions = new Map<string, bigint>()
  readonly #api: CudaApi
  readonly #context: bigint
  /** Holds the compiler's log, which the driver may write to as long as the module exists. */
  readonly #module: CudaModule
  /** Arguments whose addresses the driver has: they must live as long as the call. */
  #arguments: readonly NodeJS.TypedArray[] = []

  constructor(
    api: CudaApi,
    readonly device: GpuDevice,
    context: bigint,
    module: CudaModule,
    kernels: readonly string[],
  ) {
    this.#api = api
    this.#context = context
    this.#module = module
    for (const name of kernels) this.#functions.set(name, this.#module.functionOf(name))
    this.#queues = QUEUES.map(() => made(into => api.call("cuStreamCreate", into, STREAM_FLAGS)))
    this.#reads = made(into => api.call("cuStreamCreate", into, STREAM_FLAGS))
  }

  allocate(bytes: number): Memory {
    return { handle: made(into => this.#api.call("cuMemAlloc_v2", into, BigInt(bytes))), bytes }
  }

  residentGroups(kernel: string, groupSize: number): number | undefined {
    const groups = new Int32Array(1)
    const fn = this.#function(kernel)
    const isKnown = this.#api.attempt("cuOccupancyMaxActiveBlocksPerMultiprocessor", groups, fn, groupSize, 0n)
    return isKnown && groups[0]! > 0 ? groups[0] : undefined
  }

  registers(kernel: string): number | undefined {
    const count = new Int32Array(1)
    return this.#api.attempt("cuFuncGetAttribute", count, REGISTERS, this.#function(kernel)) ? count[0] : undefined
  }

  free(memory: Memory): void {
    for (const queue of this.#queues) this.#api.call("cuStreamSynchronize", queue)
    this.#api.call("cuMemFree_v2", memory.handle)
  }

  clear(queue: Queue, memory: Memory, bytes: number): void {
    this.#api.call("cuMemsetD32Async", memory.handle, 0, BigInt(bytes / 4), this.#queues[queue]!)
  }

  launch(queue: Queue, kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void {
    this.#arguments = args.map(argumentValue)
    const pointers = new BigUint64Array(this.#arguments.map(value => BigInt(ptr(value))))
    const fn = this.#function(kernel)
    this.#api.call("cuLaunchKernel", fn, groups, 1, 1, groupSize, 1, 1, 0, this.#queues[queue]!, pointers, null)
  }

  fence(queue: Queue): Fence {
    const stream = this.#queues[queue]!
    const event = made(into => this.#api.call("cuEventCreate", into, EVENT_FLAGS))
    this.#api.call("cuEventRecord", event, stream)
    // Windows' driver model (WDDM) batches commands until the stream is queried. The query then answers "not ready".
    this.#api.attempt("cuStreamQuery", stream)
    return event
  }

  wait(fence: Fence): void {
    this.#api.call("cuEventSynchronize", fence)
    this.#api.call("cuEventDestroy_v2", fence)
  }

  read(memory: Memory, into: Uint8Array): void {
    this.#api.call("cuMemcpyDtoHAsync_v2", into, memory.handle, BigInt(into.byteLength), this.#reads)
    this.#api.call("cuStreamSynchronize", this.#reads)
  }

  close(): void {
    this.#api.attempt("cuCtxDestroy_v2", this.#context)
  }

  #function(kernel: string): bigint {
    const fn = this.#functions.get(kernel)
    if (fn === undefined) throw new RangeError(`no kernel named ${kernel}`)
    return fn
  }
}

/** A module as the driver compiles it: at once or, with lazy loading, when a function is asked for. */
class CudaModule {
  readonly #api: CudaApi
  readonly #handle: bigint
  /*
   * The driver keeps the addresses of the option values and of the log, and with lazy loading uses them when a function
   * is asked for: all live as long as the module.
   */
  readonly #log = new Uint8Array(LOG_BYTES)
  readonly #options = new Int32Array([JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES])
  readonly #values = new BigUint64Array([BigInt(ptr(this.#log)), BigInt(LOG_BYTES)])
  readonly #text: Uint8Array

  constructor(api: CudaApi, ptx: string) {
    this.#api = api
    this.#text = zeroTerminated(ptx)
    const options = this.#options
    this.#handle = this.#logged(into =>
      api.call("cuModuleLoadDataEx", into, this.#text, options.length, options, this.#values),
    )
  }

  functionOf(name: string): bigint {
    return this.#logged(into => this.#api.call("cuModuleGetFunction", into, this.#handle, zeroTerminated(name)))
  }

  #logged(call: (into: BigUint64Array) => void): bigint {
    try {
      return made(call)
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error
      throw new DeviceError(error.call, error.code, textOf(this.#log))
    }
  }
}

function argumentValue(argument: Argument): BigUint64Array | Uint32Array {
  if ("u32" in argument) return new Uint32Array([argument.u32])
  return new BigUint64Array(["memory" in argument ? argument.memory.handle : argument.u64])
}

function made(call: (into: BigUint64Array) => void): bigint {
  const into = new BigUint64Array(1)
  call(into)
  return into[0]!
}

const zeroTerminated = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)
