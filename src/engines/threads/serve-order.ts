/** The worker's side of its order. */
import { RefusedKernel } from "../engine.ts"
import type { WorkerOrder, WorkerReport } from "./messages.ts"

declare const self: Worker

export type Report = (message: WorkerReport) => void

/**
 * Waits for the order, carries it out and lets the thread end.
 * @param carryOut returns once the engine has asked the worker to leave; throws RefusedKernel if its kernel is unusable
 */
export function serveOrder<Task>(carryOut: (order: WorkerOrder<Task>, report: Report) => void): void {
  const report: Report = message => self.postMessage(message)
  self.onmessage = ({ data: order }: MessageEvent<WorkerOrder<Task>>) => {
    self.onmessage = null
    try {
      carryOut(order, report)
    } catch (error) {
      if (error instanceof RefusedKernel)
        report({ kind: "refused", why: error.message, unsupported: error.unsupported })
      else report({ kind: "crashed", why: String(error) })
    }
  }
}
