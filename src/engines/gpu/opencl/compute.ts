/** One OpenCL device: a context, a program that the driver builds from source, a queue, and a second queue for reads. */
import { ptr } from "bun:ffi"
import { type Argument, type Compute, DeviceError, type Fence, type Memory, QUEUES, type Queue } from "../compute.ts"
import { textOf } from "../library.ts"
import { BUILD_LOG, COMPLETE, EVENT_STATUS, type OpenClApi, openClErrorName } from "./api.ts"
import type { OpenClDevice } from "./devices.ts"

/** Bytes of a compiler's log to show: the first errors. */
const LOG_BYTES = 4096

/** Interval for polling a fence; the launch queued after it keeps the device busy meanwhile. */
const POLL_MS = 1

const READ_WRITE = 1n

/**
 * Opens the device and builds the kernels.
 * @param source OpenCL C
 * @param kernels names of its kernels
 * @throws DeviceError, with the compiler's log if it refuses the source
 */
export function openOpenClCompute(
  api: OpenClApi,
  device: OpenClDevice,
  source: string,
  kernels: readonly string[],
): Compute {
  const compute = new OpenClCompute(api, device)
  try {
    compute.build(source, kernels)
    return compute
  } catch (error) {
    compute.close()
    throw error
  }
}

class OpenClCompute implements Compute {
  readonly #context: bigint
  readonly #queues: readonly bigint[]
  readonly #reads: bigint
  readonly #kernels = new Map<string, bigint>()
  readonly #memory = new Set<bigint>()
  readonly #api: OpenClApi
  #program = 0n
  /** The source, whose address the driver has: it must live as long as the call. */
  #source: Uint8Array = new Uint8Array()

  constructor(
    api: OpenClApi,
    readonly device: OpenClDevice,
  ) {
    this.#api = api
    this.#context = api.make("clCreateContext", null, 1, new BigUint64Array([device.handle]), null, null)
    this.#queues = QUEUES.map(() => api.make("clCreateCommandQueue", this.#context, device.handle, 0n))
    this.#reads = api.make("clCreateCommandQueue", this.#context, device.handle, 0n)
  }

  build(source: string, kernels: readonly string[]): void {
    this.#source = zeroTerminated(source)
    const texts = new BigUint64Array([BigInt(ptr(this.#source))])
    this.#program = this.#api.make("clCreateProgramWithSource", this.#context, 1, texts, null)
    const devices = new BigUint64Array([this.device.handle])
    try {
      this.#api.call("clBuildProgram", this.#program, 1, devices, zeroTerminated(this.#buildOptions()), 0n, 0n)
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error
      throw new DeviceError(error.call, error.code, this.#buildLog())
    }
    for (const name of kernels)
      this.#kernels.set(name, this.#api.make("clCreateKernel", this.#program, zeroTerminated(name)))
  }

  allocate(bytes: number): Memory {
    const handle = this.#api.make("clCreateBuffer", this.#context, READ_WRITE, BigInt(bytes), null)
    this.#memory.add(handle)
    return { handle, bytes }
  }

  residentGroups(): undefined {}

  registers(): undefined {}

  free(memory: Memory): void {
    this.#memory.delete(memory.handle)
    this.#api.call("clReleaseMemObject", memory.handle)
  }

  clear(queue: Queue, memory: Memory, bytes: number): void {
    const zero = new Uint32Array(1)
    this.#api.call(
      "clEnqueueFillBuffer",
      this.#queues[queue]!,
      memory.handle,
      zero,
      4n,
      0n,
      BigInt(bytes),
      0,
      null,
      null,
    )
  }

  launch(queue: Queue, kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void {
    const handle = this.#kernels.get(kernel)
    if (handle === undefined) throw new RangeError(`no kernel named ${kernel}`)
    for (const [index, argument] of args.entries()) {
      const value = argumentValue(argument)
      this.#api.call("clSetKernelArg", handle, index, BigInt(value.byteLength), value)
    }
    const threads = new BigUint64Array([BigInt(groups * groupSize)])
    const group = new BigUint64Array([BigInt(groupSize)])
    this.#api.call("clEnqueueNDRangeKernel", this.#queues[queue]!, handle, 1, null, threads, group, 0, null, null)
  }

  fence(queue: Queue): Fence {
    const event = new BigUint64Array(1)
    this.#api.call("clEnqueueMarkerWithWaitList", this.#queues[queue]!, 0, null, event)
    this.#api.call("clFlush", this.#queues[queue]!)
    return event[0]!
  }

  /** NVIDIA's and Intel's `clWaitForEvents` spin on a core, so it is called only after the event is complete. */
  wait(fence: Fence): void {
    let status = this.#statusOf(fence)
    while (status > COMPLETE) {
      Bun.sleepSync(POLL_MS)
      status = this.#statusOf(fence)
    }
    if (status < COMPLETE) throw new DeviceError("clWaitForEvents", openClErrorName(status))
    this.#api.call("clWaitForEvents", 1, new BigUint64Array([fence]))
    this.#api.call("clReleaseEvent", fence)
  }

  read(memory: Memory, into: Uint8Array): void {
    const bytes = BigInt(into.byteLength)
    this.#api.call("clEnqueueReadBuffer", this.#reads, memory.handle, 1, 0n, bytes, into, 0, null, null)
  }

  close(): void {
    for (const queue of this.#queues) this.#api.attempt("clFinish", queue)
    for (const memory of this.#memory) this.#api.attempt("clReleaseMemObject", memory)
    for (const kernel of this.#kernels.values()) this.#api.attempt("clReleaseKernel", kernel)
    if (this.#program !== 0n) this.#api.attempt("clReleaseProgram", this.#program)
    for (const queue of [...this.#queues, this.#reads]) this.#api.attempt("clReleaseCommandQueue", queue)
    this.#api.attempt("clReleaseContext", this.#context)
  }

  /** Compilers for processors would take minutes if they inlined every step. */
  #buildOptions(): string {
    return this.device.processor ? "-cl-std=CL1.2 -DOUTLINE=__attribute__((noinline))" : "-cl-std=CL1.2"
  }

  #statusOf(fence: Fence): number {
    const status = new Int32Array(1)
    this.#api.call("clGetEventInfo", fence, EVENT_STATUS, BigInt(status.byteLength), status, null)
    return status[0]!
  }

  /** The start of the log. The whole log is read, since a driver returns nothing into a buffer that is too small. */
  #buildLog(): string {
    const size = new BigUint64Array(1)
    const ask = (bytes: bigint, into: Uint8Array | null, size: BigUint64Array | null) =>
      this.#api.attempt("clGetProgramBuildInfo", this.#program, this.device.handle, BUILD_LOG, bytes, into, size)
    if (!ask(0n, null, size)) return ""
    const log = new Uint8Array(Number(size[0]))
    return ask(size[0]!, log, null) ? textOf(log.subarray(0, LOG_BYTES)) : ""
  }
}

function argumentValue(argument: Argument): BigUint64Array | Uint32Array {
  if ("u32" in argument) return new Uint32Array([argument.u32])
  return new BigUint64Array(["memory" in argument ? argument.memory.handle : argument.u64])
}

const zeroTerminated = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)
