/** The engine of all devices that one API drives: a worker thread for each, as CPU workers are run. */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { CpuEngine, type Patience } from "../cpu/cpu-engine.ts"
import type { GpuApi, GpuDevice } from "./device.ts"
import { GPU_WORKER_ENTRY } from "./worker-entry.ts"
import type { DeviceBrief } from "./worker-main.ts"

export interface GpuEngineOptions extends Omit<DeviceBrief, "device" | "launchMs"> {
  readonly api: GpuApi
  /** One or more, of that API. */
  readonly devices: readonly GpuDevice[]
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  /** A module that calls `serveDevice`, in place of the miner's own. */
  readonly entry?: string | URL
}

/** Milliseconds of a launch: long enough that the host does not matter, short enough that a new job does not wait. */
const LAUNCH_MS = 100

/** The same where a display hangs on the device and is to stay smooth. */
const DISPLAY_LAUNCH_MS = 15

/**
 * Drivers compile at the start, and a layout may have to be measured. A device that makes no progress for five seconds
 * has hung: its thread and its context are made anew. At the third failure within ten minutes it is dropped.
 */
const PATIENCE: Patience = { startWithin: 180_000, stillLooks: 20, mostFailures: 2, failuresWithin: 600_000 }

/** Units are `cuda/0`, `cuda/1`, … in the order of `devices`. */
export function createGpuEngine(options: GpuEngineOptions): CpuEngine {
  const { api, devices, batchSize, throttleMs, stateDir, recalibrate, version, random, clock, log, entry } = options
  const briefs = devices.map(
    (device): DeviceBrief => ({
      device,
      launchMs: device.display ? DISPLAY_LAUNCH_MS : LAUNCH_MS,
      batchSize,
      throttleMs,
      stateDir,
      recalibrate,
      version,
    }),
  )
  return new CpuEngine({
    kernel: api,
    kind: "gpu",
    workers: devices.length,
    briefs,
    patience: PATIENCE,
    random,
    clock,
    log,
    entry: entry ?? GPU_WORKER_ENTRY,
  })
}
