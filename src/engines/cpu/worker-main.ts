/** A CPU worker's life: load the kernel, test it, search until asked to leave or to load another one. */
import { host } from "../../host/host.ts"
import { type Kernel, UnsupportedKernel } from "../../kernel/kernel.ts"
import { RefusedKernel } from "../engine.ts"
import { selfTest } from "../self-test.ts"
import { type OpenOrder, serveOrders } from "../threads/serve-orders.ts"
import type { CpuTask } from "./cpu-engine.ts"
import { type KernelTable, recipeOf } from "./kernels.ts"
import { searchLoop } from "./search-loop.ts"

/** Searches by orders until asked to leave; then the thread ends. */
export const serveCpuWorker = (kernels: KernelTable): void => serveOrders<CpuTask>(order => search(order, kernels))

function search({ order, memory, slot, report }: OpenOrder<CpuTask>, kernels: KernelTable): void {
  const { salt, cpu, task } = order
  const isPlaced = cpu === undefined || host.setThreadAffinity([cpu])
  const kernel = load(task, kernels)
  try {
    const wrong = selfTest(kernel)
    if (wrong) throw new RefusedKernel(wrong, false)
    // The self-test's garbage would stay as long as the kernel's code allocates nothing.
    Bun.gc(true)
    report({ kind: "ready", isPlaced, threadId: host.currentThreadId() })
    searchLoop({ memory, slot, kernel, salt, notify: () => report({ kind: "notify" }) })
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
