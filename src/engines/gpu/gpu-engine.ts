/** The engine of one GPU: a worker thread that drives it. Each GPU has an engine, so that one failure spares the others. */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { workerEntry } from "../../worker-entry.ts"
import { type Patience, ThreadEngine } from "../threads/thread-engine.ts"
import type { DeviceTask } from "./worker-main.ts"

export type GpuEngine = ThreadEngine<DeviceTask>

export interface GpuEngineOptions extends Omit<DeviceTask, "launchMs"> {
  /** The unit's number: 0 for `cuda/0`. */
  readonly number: number
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  /** A module that calls `serveDevice`; the miner's own by default. */
  readonly entry?: string | URL
}

/** Milliseconds of a launch: long enough to hide the host's overhead, short enough to take up a new job quickly. */
const LAUNCH_MS = 100

/** The same for a device that drives a display, which must stay responsive. */
const DISPLAY_LAUNCH_MS = 15

/**
 * Drivers compile at the start, up to six times at the first one, and some take a minute each time. A device without
 * progress for five seconds has hung: its thread and its context are replaced. At the third failure within an hour, which
 * leaves room for three starts that hang, the device is given up.
 */
const PATIENCE: Patience = { startMs: 600_000, maxStillLooks: 20, maxFailures: 2, failureWindowMs: 3_600_000 }

/** Its only unit is `cuda/N` or `opencl/N`. */
export function createGpuEngine(options: GpuEngineOptions): GpuEngine {
  const { number, random, clock, log, entry = workerEntry("engines/gpu"), ...rest } = options
  const launchMs = options.device.display ? DISPLAY_LAUNCH_MS : LAUNCH_MS
  const task: DeviceTask = { ...rest, launchMs }
  return new ThreadEngine({
    name: options.device.api,
    kind: "gpu",
    firstUnit: number,
    workers: 1,
    entry,
    task: () => task,
    patience: PATIENCE,
    random,
    clock,
    log,
  })
}
