/** A worker whose kernels fail on demand: at a certain target, in the first worker of an engine or in every one. */

import type { CpuTask } from "../../../src/engines/cpu/cpu-engine.ts"
import { createKernel, type KernelRecipe, type KernelTable } from "../../../src/engines/cpu/kernels.ts"
import { serveCpuWorker } from "../../../src/engines/cpu/worker-main.ts"
import type { WorkerOrder } from "../../../src/engines/threads/messages.ts"
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"
import { type Kernel, UnsupportedKernel } from "../../../src/kernel/kernel.ts"
import { CLAIM_FIRST, CRASH_ALL, CRASH_FIRST, DIE_LEASING, FAULT_AFTER, HANG_FIRST } from "./faults.ts"

declare const self: Worker

let slot = -1
let memory: SharedMemory
const keep = ({ data }: MessageEvent<WorkerOrder<CpuTask>>) => {
  slot = data.slot
  memory = new SharedMemory(data.buffer)
}
// A thread that listens does not end by itself.
self.addEventListener("message", keep, { once: true })

const kernels: KernelTable = {
  faulty: recipe(() => faulty(createKernel("wasm"))),
  wrong: recipe(() => wrong(createKernel("wasm"))),
  unsupported: recipe(() => {
    throw new UnsupportedKernel("this CPU has no such thing")
  }),
  stuck: recipe(() => {
    while (slot === 0 && !memory.slots[slot]!.leaving);
    return createKernel("wasm")
  }),
  broken: recipe(() => {
    throw new Error("cannot be made")
  }),
}

serveCpuWorker(kernels)

function recipe(load: () => Kernel): KernelRecipe {
  return { render: () => undefined, load }
}

function faulty(kernel: Kernel): Kernel {
  let top = 0n
  let rows = 0
  const fail = () => {
    if (rows++ < FAULT_AFTER) return
    if (top === CRASH_ALL || (top === CRASH_FIRST && slot === 0)) throw new Error("the kernel crashed")
    if (top === CLAIM_FIRST && slot === 0 && memory.admit(memory.version, true)) throw new Error("the kernel crashed")
    while (top === HANG_FIRST && slot === 0 && !memory.slots[slot]!.leaving);
  }
  return around(kernel, {
    setTarget: next => {
      if (next !== top) rows = 0
      if (next === DIE_LEASING && slot === 0) dieAfterLease()
      top = next
      kernel.setTarget(next)
    },
    searchRow: t0 => {
      fail()
      return kernel.searchRow(t0)
    },
    searchRange: (first, count) => {
      fail()
      return kernel.searchRange(first, count)
    },
  })
}

/** Offset of the lease word in shared memory, in words of 64 bits. */
const LEASE_WORD = 16

/** Makes this thread die as soon as it has leased a chunk. */
function dieAfterLease(): void {
  const exchange = Atomics.compareExchange
  const exchangeAndDie = (array: BigInt64Array, index: number, expected: bigint, value: bigint): bigint => {
    const found = exchange(array, index, expected, value)
    const leased = array instanceof BigInt64Array && array.byteOffset === 0 && index === LEASE_WORD
    if (leased && found === expected) throw new Error("the thread died")
    return found
  }
  Atomics.compareExchange = exchangeAndDie as typeof Atomics.compareExchange
}

/** Overlooks the last candidate of a row. */
const wrong = (kernel: Kernel): Kernel => around(kernel, { searchRow: t0 => Math.max(0, kernel.searchRow(t0) - 1) })

function around(kernel: Kernel, changes: Partial<Kernel>): Kernel {
  return {
    name: kernel.name,
    row: kernel.row,
    hits: kernel.hits,
    permute: state => kernel.permute(state),
    setTarget: top => kernel.setTarget(top),
    preparePlane: state => kernel.preparePlane(state),
    searchRow: t0 => kernel.searchRow(t0),
    prepareRange: state => kernel.prepareRange(state),
    searchRange: (first, count) => kernel.searchRange(first, count),
    close: () => kernel.close(),
    ...changes,
  }
}
