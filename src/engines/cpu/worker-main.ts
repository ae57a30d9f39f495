/** A worker's side of its life: make the kernel, prove it, search until asked to leave. */
import { setThreadAffinity } from "../../host/affinity.ts"
import { UnsupportedKernel } from "../../kernel/kernel.ts"
import type { KernelTable } from "./kernels.ts"
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
  /** What this kind of worker is told beside that. */
  readonly brief?: unknown
}

export type WorkerReport =
  | { readonly kind: "ready"; readonly pinned: boolean }
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
    void carryOut(event.data, kernels)
  }
}

async function carryOut(order: WorkerOrder, kernels: KernelTable): Promise<void> {
  try {
    await search(order, kernels)
  } catch (error) {
    report({ kind: "crashed", why: String(error) })
  }
}

async function search({ buffer, slot, kernel: name, salt, cpu }: WorkerOrder, kernels: KernelTable): Promise<void> {
  const pinned = cpu === undefined || setThreadAffinity([cpu])
  const create = kernels[name]
  if (!create) throw new RangeError(`no kernel ${name}`)
  let kernel: Awaited<ReturnType<typeof create>>
  try {
    kernel = await create()
  } catch (error) {
    if (!(error instanceof UnsupportedKernel)) throw error
    return report({ kind: "refused", why: error.message, unsupported: true })
  }
  try {
    const wrong = selfTest(kernel)
    if (wrong) return report({ kind: "refused", why: wrong, unsupported: false })
    report({ kind: "ready", pinned })
    const memory = new SharedMemory(buffer)
    searchLoop({ memory, slot: memory.slots[slot]!, kernel, salt, ring: () => report({ kind: "ring" }) })
  } finally {
    kernel.close()
  }
}

const report = (message: WorkerReport): void => self.postMessage(message)
