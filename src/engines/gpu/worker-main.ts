/** A GPU worker's life: open the device, test its program, search until asked to leave. */
import { RefusedKernel, type WorkerOrder } from "../threads/messages.ts"
import { type Report, serveOrder } from "../threads/serve-order.ts"
import { openMemory } from "../threads/shared-memory.ts"
import type { GpuDevice } from "./device.ts"
import { launchLoop } from "./launch-loop.ts"
import { UnsupportedDevice } from "./library.ts"
import { openTuned, rowsOfLaunch, WrongDevice } from "./tuning.ts"

/** A device to search with, and how. */
export interface DeviceTask {
  readonly device: GpuDevice
  /** Nonces of a launch, limited to what takes a second; undefined: as many as take `launchMs`. */
  readonly batchSize: number | undefined
  readonly launchMs: number
  /** Pause between two launches, in milliseconds. */
  readonly throttleMs: number
  readonly stateDir: string | undefined
  readonly recalibrate: boolean
  /** The miner's. */
  readonly version: string
}

/**
 * Waits for the order and carries it out; then the thread ends.
 * @param open opens the device; a test's own, for faults that devices do not show on demand
 */
export const serveDevice = (open: typeof openTuned = openTuned): void =>
  serveOrder<DeviceTask>((order, report) => search(order, open, report))

function search({ buffer, slot, salt, task }: WorkerOrder<DeviceTask>, open: typeof openTuned, report: Report): void {
  const { search, tuning } = opened(task, open)
  try {
    report({ kind: "ready", isPlaced: true })
    const memory = openMemory(buffer)
    launchLoop({
      memory,
      slot: memory.slots[slot]!,
      device: search,
      rows: rowsOfLaunch(tuning.hashesPerSecond, task),
      throttleMs: task.throttleMs,
      sleep: ms => Bun.sleepSync(ms),
      salt,
      notify: () => report({ kind: "notify" }),
    })
  } finally {
    search.close()
  }
}

function opened(task: DeviceTask, open: typeof openTuned): ReturnType<typeof openTuned> {
  try {
    return open(task.device, { ...task, now: () => performance.now() })
  } catch (error) {
    if (error instanceof UnsupportedDevice) throw new RefusedKernel(error.message, true)
    throw error instanceof WrongDevice ? new RefusedKernel(error.message, false) : error
  }
}
