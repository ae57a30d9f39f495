/**
 * A device without a driver: memory is arrays, and the search kernels report the nonces that a test says are hits. A
 * nonce is known by the row it is in, or by its last four bytes.
 */
import type { Argument, Compute, Memory } from "../../../src/engines/gpu/compute.ts"
import type { GpuDevice } from "../../../src/engines/gpu/device.ts"
import { HITS } from "../../../src/kernel/device-program.ts"
import { ROW } from "../../../src/kernel/kernel.ts"

export const DEVICE: GpuDevice = {
  api: "opencl",
  index: 0,
  name: "Pretended device",
  memory: 2 ** 30,
  computeUnits: 2,
  integrated: false,
  processor: false,
  display: false,
  pci: "0000:01:00.0",
  uuid: undefined,
  part: undefined,
  driver: "OpenCL 1.2",
  architecture: "OpenCL C 1.2",
}

export interface FakeCompute extends Compute {
  /** Names of the launched kernels, in order. */
  readonly launched: string[]
  closed: boolean
}

/** @param isHit of (row, t1), or of (last four bytes, 0) for a range */
export function fakeCompute(isHit: (at: number, t1: number) => boolean): FakeCompute {
  const memory = new Map<bigint, Uint32Array>()
  const firstRow = new Map<bigint, number>()
  let handles = 0n
  const report = (hits: bigint, indexes: readonly number[]) => {
    const words = memory.get(hits)!
    words[0]! += indexes.length
    // Not in ascending order, as on a device.
    words.set(indexes.toReversed().slice(0, HITS), 1)
  }
  const handle = (argument: Argument | undefined) => (argument as { memory: Memory }).memory.handle
  const u32 = (argument: Argument | undefined) => (argument as { u32: number }).u32
  return {
    device: DEVICE,
    launched: [],
    closed: false,
    allocate(bytes) {
      handles += 1n
      memory.set(handles, new Uint32Array(Math.ceil(bytes / 4)))
      return { handle: handles, bytes }
    },
    free: ({ handle }) => void memory.delete(handle),
    residentGroups: () => undefined,
    registers: () => undefined,
    clear: (_queue, { handle }, bytes) => void memory.get(handle)!.fill(0, 0, bytes / 4),
    launch(_queue, kernel, _groups, _size, args) {
      this.launched.push(kernel)
      if (kernel === "rows") firstRow.set(handle(args[14]), u32(args[12]))
      if (kernel === "search") {
        const first = firstRow.get(handle(args[0]))!
        const indexes = Array.from({ length: u32(args[2]) * ROW }, (_, i) => i)
        const hits = indexes.filter(i => isHit(first + Math.floor(i / ROW), i % ROW))
        report(handle(args[4]), hits)
      }
      if (kernel === "range") {
        const indexes = Array.from({ length: u32(args[13]) }, (_, i) => i)
        report(
          handle(args[15]),
          indexes.filter(i => isHit(u32(args[12]) + i, 0)),
        )
      }
    },
    fence: () => 0n,
    wait() {},
    read({ handle }, into) {
      into.set(new Uint8Array(memory.get(handle)!.buffer, 0, into.length))
    },
    close() {
      this.closed = true
    },
  }
}
