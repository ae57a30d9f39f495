/** A CPU worker's life: load the kernel, test it, search until asked to leave. */
import { host } from "../../host/host.ts"
import { type Kernel, UnsupportedKernel } from "../../kernel/kernel.ts"
import { RefusedKernel } from "../engine.ts"
import { selfTest } from "../self-test.ts"
import type { WorkerOrder } from "../threads/messages.ts"
import { type Report, serveOrder } from "../threads/serve-order.ts"
import { openMemory } from "../threads/shared-memory.ts"
import type { CpuTask } from "./cpu-engine.ts"
import { type KernelTable, recipeOf } from "./kernels.ts"
import { searchLoop } from "./search-loop.ts"

/** Waits for the order and searches until asked to leave; then the thread ends. */
export const serveCpuWorker = (kernels: KernelTable): void =>
  serveOrder<CpuTask>((order, report) => search(order, kernels, report))

function search({ buffer, slot, salt, cpu, task }: WorkerOrder<CpuTask>, kernels: KernelTable, report: Report): void {
  const isPlaced = cpu === undefined || host.setThreadAffinity([cpu])
  const kernel = load(task, kernels)
  try {
    const wrong = selfTest(kernel)
    if (wrong) throw new RefusedKernel(wrong, false)
    report({ kind: "ready", isPlaced, threadId: host.currentThreadId() })
    const memory = openMemory(buffer)
    searchLoop({ memory, slot: memory.slots[slot]!, kernel, salt, notify: () => report({ kind: "notify" }) })
  } finally {
    kernel.close()
  }
}

function load({ kernel, rendered }: CpuTask, kernels: KernelTable): Kernel {
  try {
    return recipeOf(kernels, kernel).load(rendered)
  } catch (error) {
    throw error instanceof UnsupportedKernel ? new RefusedKernel(error.message, true) : error
  }
}
