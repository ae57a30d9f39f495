/** A device's side of its worker's life: open it, prove its program, search until asked to leave. */

import { SharedMemory } from "../cpu/shared-memory.ts"
import type { WorkerOrder, WorkerReport } from "../cpu/worker-main.ts"
import type { GpuDevice } from "./device.ts"
import { launchLoop } from "./launch-loop.ts"
import { UnsupportedDevice } from "./library.ts"
import { openTuned, rowsOfLaunch, WrongDevice } from "./tuning.ts"

/** What a device's worker is told beside a worker's order. */
export interface DeviceBrief {
  readonly device: GpuDevice
  /** Nonces of a launch, as far as they take a second at most; undefined: as many as take `launchMs`. */
  readonly batchSize: number | undefined
  readonly launchMs: number
  /** Milliseconds to pause between two launches. */
  readonly throttleMs: number
  readonly stateDir: string | undefined
  readonly recalibrate: boolean
  /** The miner's. */
  readonly version: string
}

declare const self: Worker

/**
 * Waits for the order and carries it out; the thread ends with it.
 * @param open a test's own, for faults that devices do not show when asked
 */
export function serveDevice(open: typeof openTuned = openTuned): void {
  self.onmessage = (event: MessageEvent<WorkerOrder>) => {
    self.onmessage = null
    carryOut(event.data, event.data.brief as DeviceBrief, open)
  }
}

function carryOut(order: WorkerOrder, brief: DeviceBrief, open: typeof openTuned): void {
  try {
    search(order, brief, open)
  } catch (error) {
    if (error instanceof UnsupportedDevice) report({ kind: "refused", why: error.message, unsupported: true })
    else if (error instanceof WrongDevice) report({ kind: "refused", why: error.message, unsupported: false })
    else report({ kind: "crashed", why: String(error) })
  }
}

function search({ buffer, slot, salt }: WorkerOrder, brief: DeviceBrief, open: typeof openTuned): void {
  const { device, throttleMs } = brief
  const { search, tuning } = open(device, { ...brief, now: () => performance.now() })
  try {
    report({ kind: "ready", pinned: true })
    const memory = new SharedMemory(buffer)
    launchLoop({
      memory,
      slot: memory.slots[slot]!,
      device: search,
      rows: rowsOfLaunch(tuning.hashesPerSecond, brief),
      throttleMs,
      sleep: ms => Bun.sleepSync(ms),
      salt,
      ring: () => report({ kind: "ring" }),
    })
  } finally {
    search.close()
  }
}

const report = (message: WorkerReport): void => self.postMessage(message)
