/**
 * The interface of a device, the same for every API: memory, kernels in two in-order queues, fences, and reads that do
 * not wait for work queued after the fence. It is bound to the thread that opened it. Every method except `close`
 * throws `DeviceError` if the driver reports an error; the device must then be closed and opened again.
 */
import type { GpuDevice } from "./device.ts"

/** Device memory: an address (CUDA) or a handle (OpenCL). */
export interface Memory {
  readonly handle: bigint
  readonly bytes: number
}

/** A kernel's argument: memory, or an integer of 4 or 8 bytes. */
export type Argument = { readonly memory: Memory } | { readonly u32: number } | { readonly u64: bigint }

/** Queues of a device, which run beside each other. */
export const QUEUES = [0, 1] as const

export type Queue = (typeof QUEUES)[number]

export interface Compute {
  readonly device: GpuDevice
  allocate(bytes: number): Memory
  /** Groups of `groupSize` threads of a kernel that one compute unit holds; undefined if the API does not report it. */
  residentGroups(kernel: string, groupSize: number): number | undefined
  /** Registers that a thread of a kernel takes; undefined if the API does not report it. */
  registers(kernel: string): number | undefined
  /** Frees memory after the queued work that uses it. */
  free(memory: Memory): void
  /** Queues zeroing the first `bytes` of `memory`; a multiple of 4. */
  clear(queue: Queue, memory: Memory, bytes: number): void
  /** Queues a kernel. @param groups number of groups of `groupSize` threads */
  launch(queue: Queue, kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void
  /** Marks the present end of a queue and submits the queue to the device. */
  fence(queue: Queue): Fence
  /** Sleeps until all work of its queue before the fence is done. Each fence is waited for once. */
  wait(fence: Fence): void
  /** Reads memory at once, beside the queues. Only data written before an awaited fence is defined. */
  read(memory: Memory, into: Uint8Array): void
  /** Frees everything; never throws. */
  close(): void
}

export type Fence = bigint

/** An error that a driver reports: the call, and the driver's name of the error. */
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
