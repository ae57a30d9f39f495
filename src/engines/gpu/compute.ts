/**
 * What the search needs of a device, whichever API drives it: memory, kernels in one in-order queue, fences, and reads
 * that do not wait for what was queued after the fence. Bound to the thread that opened it. Every method throws
 * `DeviceError` where the driver reports an error; the device is then to be closed and opened again.
 */
import type { GpuDevice } from "./device.ts"

/** Device memory: an address (CUDA) or a handle (OpenCL). */
export interface Memory {
  readonly handle: bigint
  readonly bytes: number
}

/** A kernel's argument: memory, or an integer of 4 or 8 bytes. */
export type Argument = { readonly memory: Memory } | { readonly u32: number } | { readonly u64: bigint }

export interface Compute {
  readonly device: GpuDevice
  allocate(bytes: number): Memory
  /** Frees memory once what was queued is done with it. */
  free(memory: Memory): void
  /** Queues zeroing the first `bytes` of it; a multiple of 4. */
  clear(memory: Memory, bytes: number): void
  /** Queues a kernel. @param groups how many groups of `groupSize` threads */
  launch(kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void
  /** Marks the queue's end as it is now and hands all of it to the device. */
  fence(): Fence
  /** Sleeps until all that was queued before the fence is done; a fence is waited for once. */
  wait(fence: Fence): void
  /** Reads memory at once, beside what is queued; only what lies before a fence that was waited for is settled. */
  read(memory: Memory, into: Uint8Array): void
  /** Frees everything; never throws. */
  close(): void
}

export type Fence = bigint

/** Opens a device and builds the kernels; slow (a driver's compiler runs). */
export type OpenCompute = (device: GpuDevice) => Compute

/** A driver's refusal: which call, and the driver's own name of the error. */
export class DeviceError extends Error {
  override readonly name = "DeviceError"

  constructor(
    readonly call: string,
    readonly code: string,
    detail = "",
  ) {
    super(`${call}: ${code}${detail === "" ? "" : `: ${detail}`}`)
  }
}
