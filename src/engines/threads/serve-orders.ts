/** The worker's side of its orders. */
import { RefusedKernel } from "../engine.ts"
import type { WorkerOrder, WorkerReport } from "./messages.ts"
import { openMemory } from "./shared-memory.ts"
import type { WorkerMemory, WorkerSlot } from "./views.ts"

declare const self: Worker

export type Report = (message: WorkerReport) => void

/** An order with the memory that it refers to. */
export interface OpenOrder<Task> {
  readonly order: WorkerOrder<Task>
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
  readonly report: Report
}

/**
 * Carries out one order after the other, until the engine asks the worker to leave; then the thread ends.
 * @param carryOut returns once the slot is leaving; throws RefusedKernel if its kernel is unusable
 */
export function serveOrders<Task>(carryOut: (order: OpenOrder<Task>) => void): void {
  const report: Report = message => self.postMessage(message)
  let memory: WorkerMemory | undefined
  self.onmessage = ({ data: order }: MessageEvent<WorkerOrder<Task> | null>) => {
    if (order === null || !serve(order)) self.onmessage = null
  }

  /** @returns false if the thread is to end */
  function serve(order: WorkerOrder<Task>): boolean {
    // What the previous order leaves behind must not add to what the next one needs.
    if (memory) Bun.gc(true)
    memory ??= openMemory(order.buffer)
    const slot = memory.slots[order.slot]!
    slot.follow()
    try {
      if (!slot.leaving) carryOut({ order, memory, slot, report })
    } catch (error) {
      if (error instanceof RefusedKernel) {
        report({ kind: "refused", why: error.message, unsupported: error.unsupported })
        return true
      }
      report({ kind: "crashed", why: String(error) })
      return false
    }
    return slot.isRecalled
  }
}
