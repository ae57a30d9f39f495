/** A worker's side of its life: make the kernel, prove it, search until asked to leave. */
import { setThreadAffinity, threadNumber } from "../../host/affinity.ts"
import { type Kernel, UnsupportedKernel } from "../../kernel/kernel.ts"
import { type KernelTable, recipeOf } from "./kernels.ts"
import { searchLoop } from "./search-loop.ts"
import { selfTest } from "./self-test.ts"
import { SharedMemory } from "./shared-memory.ts"

/** The only message a worker gets; everything after it is shared memory. */
export interface WorkerOrder {
  readonly buffer: SharedArrayBuffer
  /** Its slot's index. */
  readonly slot: number
  /** A name in the table of kernels. */
  readonly kernel: string
  readonly salt: Uint8Array
  /** The logical CPU to run on; undefined: wherever the scheduler likes. */
  readonly cpu: number | undefined
  /** What this kind of worker is told beside that: a CPU worker, what its kernel is loaded from. */
  readonly brief: unknown
}

export type WorkerReport =
  /** `thread` is the system's number of it, where it has one and may be pinned to another CPU later. */
  | { readonly kind: "ready"; readonly pinned: boolean; readonly thread?: number | undefined }
  /** The kernel cannot run here (`unsupported`), or computes wrongly. */
  | { readonly kind: "refused"; readonly why: string; readonly unsupported: boolean }
  /** There is something to see in the worker's slot. */
  | { readonly kind: "ring" }
  | { readonly kind: "crashed"; readonly why: string }

declare const self: Worker

/** Waits for the order and carries it out; the thread ends with it. */
export function serveWorker(kernels: KernelTable): void {
  self.onmessage = (event: MessageEvent<WorkerOrder>) => {
    self.onmessage = null
    carryOut(event.data, kernels)
  }
}

function carryOut(order: WorkerOrder, kernels: KernelTable): void {
  try {
    search(order, kernels)
  } catch (error) {
    report({ kind: "crashed", why: String(error) })
  }
}

function search({ buffer, slot, kernel: name, salt, cpu, brief }: WorkerOrder, kernels: KernelTable): void {
  const pinned = cpu === undefined || setThreadAffinity([cpu])
  let kernel: Kernel
  try {
    kernel = recipeOf(kernels, name).load(brief)
  } catch (error) {
    if (!(error instanceof UnsupportedKernel)) throw error
    report({ kind: "refused", why: error.message, unsupported: true })
    return
  }
  try {
    const wrong = selfTest(kernel)
    if (wrong) {
      report({ kind: "refused", why: wrong, unsupported: false })
      return
    }
    report({ kind: "ready", pinned, thread: threadNumber() })
    const memory = new SharedMemory(buffer)
    searchLoop({ memory, slot: memory.slots[slot]!, kernel, salt, ring: () => report({ kind: "ring" }) })
  } finally {
    kernel.close()
  }
}

const report = (message: WorkerReport): void => self.postMessage(message)
