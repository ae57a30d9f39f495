/** A device's side of its worker's life: open it, prove its program, search until asked to leave. */

import { SharedMemory } from "../cpu/shared-memory.ts"
import type { WorkerOrder, WorkerReport } from "../cpu/worker-main.ts"
import type { GpuDevice } from "./device.ts"
import { testDevice } from "./device-test.ts"
import { launchLoop } from "./launch-loop.ts"
import { UnsupportedDevice } from "./library.ts"
import { openTuned, rowsFor, rowsOf } from "./tuning.ts"

/** What a device's worker is told beside a worker's order. */
export interface DeviceBrief {
  readonly device: GpuDevice
  /** Nonces of a launch; undefined: as many as take `launchMs`. */
  readonly batchSize: number | undefined
  readonly launchMs: number
  /** Milliseconds to pause between two launches. */
  readonly throttleMs: number
  readonly stateDir: string | undefined
  readonly recalibrate: boolean
  /** The miner's. */
  readonly version: string
}

/** How a device is opened and proved; a test's own, for faults that devices do not show when asked. */
export interface DeviceAccess {
  readonly open: typeof openTuned
  readonly test: typeof testDevice
}

declare const self: Worker

/** Waits for the order and carries it out; the thread ends with it. */
export function serveDevice(access: DeviceAccess = { open: openTuned, test: testDevice }): void {
  self.onmessage = (event: MessageEvent<WorkerOrder>) => {
    self.onmessage = null
    void carryOut(event.data, event.data.brief as DeviceBrief, access)
  }
}

async function carryOut(order: WorkerOrder, brief: DeviceBrief, access: DeviceAccess): Promise<void> {
  try {
    await search(order, brief, access)
  } catch (error) {
    if (error instanceof UnsupportedDevice) report({ kind: "refused", why: error.message, unsupported: true })
    else report({ kind: "crashed", why: String(error) })
  }
}

async function search({ buffer, slot, salt }: WorkerOrder, brief: DeviceBrief, access: DeviceAccess): Promise<void> {
  const { device, batchSize, launchMs, throttleMs } = brief
  const { search, tuning } = access.open(device, { ...brief, now: () => performance.now() })
  try {
    const wrong = await access.test(search)
    if (wrong) return report({ kind: "refused", why: wrong, unsupported: false })
    report({ kind: "ready", pinned: true })
    const memory = new SharedMemory(buffer)
    launchLoop({
      memory,
      slot: memory.slots[slot]!,
      device: search,
      rows: batchSize === undefined ? rowsFor(tuning.hashesPerSecond, launchMs) : rowsOf(batchSize),
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
