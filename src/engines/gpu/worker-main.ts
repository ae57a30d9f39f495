/** The main function of a GPU worker: opens and tests the device, then searches until the engine asks it to leave. */
import { host } from "../../host/host.ts"
import { RefusedKernel } from "../engine.ts"
import { type OpenOrder, serveOrders } from "../threads/serve-orders.ts"
import { SharedFlag } from "../threads/shared-memory.ts"
import type { GpuDevice } from "./device.ts"
import { launchLoop } from "./launch-loop.ts"
import { UnsupportedDevice } from "./library.ts"
import { openStart, rowsOfLaunch, type Start, WrongDevice } from "./tuning.ts"

/** The task of a GPU worker: a device and how to use it. */
export interface DeviceTask {
  readonly device: GpuDevice
  /** Nonces of a launch, limited to one second's; undefined: those that take `launchMs`. */
  readonly batchSize: number | undefined
  /** Duration of a launch in milliseconds if `batchSize` is undefined. */
  readonly launchMs: number
  /** Pause between two launches, in milliseconds. */
  readonly throttleMs: number
  readonly start: Start
  /** Of the `SharedFlag` that pauses the device; undefined: it is never paused. */
  readonly paused?: SharedArrayBuffer | undefined
}

/**
 * Searches by orders until asked to leave; then the thread ends.
 * @param open opens the device; tests replace it to simulate faults
 */
export const serveDevice = (open: typeof openStart = openStart): void =>
  serveOrders<DeviceTask>(order => search(order, open))

function search({ order, memory, slot, report }: OpenOrder<DeviceTask>, open: typeof openStart): void {
  const { salt, task } = order
  // A launch's end is polled for each millisecond.
  host.refineTimers()
  const paused = new SharedFlag(task.paused)
  const { search, tuning } = opened(task, open, what => report({ kind: "progress", what }))
  try {
    report({ kind: "ready", isPlaced: true })
    launchLoop({
      memory,
      slot,
      device: search,
      rows: rowsOfLaunch(tuning.hashesPerSecond, task, tuning.layout),
      throttleMs: task.throttleMs,
      sleep: ms => Bun.sleepSync(ms),
      isPaused: () => paused.value,
      salt,
      notify: () => report({ kind: "notify" }),
    })
  } finally {
    search.close()
  }
}

/** Opens the device. @throws RefusedKernel if the device is unsupported or computes wrongly */
function opened(
  task: DeviceTask,
  open: typeof openStart,
  progress: (what: string) => void,
): ReturnType<typeof openStart> {
  try {
    return open(task.device, task.start, { now: () => performance.now(), progress })
  } catch (error) {
    if (error instanceof UnsupportedDevice) throw new RefusedKernel(error.message, true)
    throw error instanceof WrongDevice ? new RefusedKernel(error.message, false) : error
  }
}
