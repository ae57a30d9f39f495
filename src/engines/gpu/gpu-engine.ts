/**
 * The engine of one device: a worker thread of its own, run as CPU workers are. Each device has its engine, so that one
 * that cannot be used leaves the others alone.
 */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { workerEntry } from "../../worker-entry.ts"
import { CpuEngine, type Patience } from "../cpu/cpu-engine.ts"
import type { DeviceBrief } from "./worker-main.ts"

export interface GpuEngineOptions extends Omit<DeviceBrief, "launchMs"> {
  /** The unit's number: 0 for `cuda/0`. */
  readonly number: number
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
 * Drivers compile at the start, for a first one six times, which takes some of them a minute each. A device that makes
 * no progress for five seconds has hung: its thread and its context are made anew. At the third failure within an hour,
 * in which three starts that hang have room, it is dropped.
 */
const PATIENCE: Patience = { startWithin: 600_000, stillLooks: 20, mostFailures: 2, failuresWithin: 3_600_000 }

/** Its only unit is `cuda/N` or `opencl/N`. */
export function createGpuEngine(options: GpuEngineOptions): CpuEngine {
  const { number, random, clock, log, entry = workerEntry("engines/gpu"), ...rest } = options
  const launchMs = options.device.display ? DISPLAY_LAUNCH_MS : LAUNCH_MS
  const brief: DeviceBrief = { ...rest, launchMs }
  return new CpuEngine({
    kernel: options.device.api,
    kind: "gpu",
    firstUnit: number,
    workers: 1,
    brief: () => brief,
    patience: PATIENCE,
    random,
    clock,
    log,
    entry,
  })
}
