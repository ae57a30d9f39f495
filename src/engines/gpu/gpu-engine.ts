/**
 * The engine of one GPU: a worker thread that drives it. Each GPU has a separate engine, so that failures stay apart.
 */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { workerEntry } from "../../worker-entry.ts"
import { RefusedKernel } from "../engine.ts"
import type { Patience } from "../threads/options.ts"
import { SharedFlag } from "../threads/shared-memory.ts"
import { ThreadEngine } from "../threads/thread-engine.ts"
import type { Tuned } from "./driver-process.ts"
import type { Start } from "./tuning.ts"
import type { DeviceTask } from "./worker-main.ts"

export interface GpuEngineOptions extends Omit<DeviceTask, "launchMs" | "paused" | "start"> {
  /** Number of the unit within its API: 0 for `cuda/0`. */
  readonly number: number
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  /** A module that calls `serveDevice`; the miner's own by default. */
  readonly entry?: string | URL
  /** Finds what the device is opened with, which may take as long as a tuning. */
  readonly tune: () => Promise<Tuned>
}

/** Duration of a launch: long enough to hide the host's overhead, short enough to switch to a new job quickly. */
const LAUNCH_MS = 100

/** Duration of a launch on a device that drives a display, which must stay responsive. */
const DISPLAY_LAUNCH_MS = 15

/**
 * Drivers compile the program when a thread opens the device, and some take a minute. A device without progress for five
 * seconds counts as hung; its thread and context are replaced. At the third failure within an hour the device is dropped.
 * The hour is long enough for three starts that hang.
 */
const PATIENCE: Patience = { startMs: 600_000, maxStillLooks: 20, maxFailures: 2, failureWindowMs: 3_600_000 }

/** Creates the engine of one GPU, not started. Its only unit is `cuda/N` or `opencl/N`. */
export const createGpuEngine = (options: GpuEngineOptions): GpuEngine => new GpuEngine(options)

export class GpuEngine extends ThreadEngine<DeviceTask> {
  readonly #tune: GpuEngineOptions["tune"]
  readonly #task: { start: Start | undefined }
  readonly #paused: SharedFlag
  #tuned: Promise<void> | undefined
  #closed = false

  constructor(options: GpuEngineOptions) {
    const { number, random, clock, log, entry = workerEntry("engines/gpu"), tune, ...rest } = options
    const launchMs = options.device.display ? DISPLAY_LAUNCH_MS : LAUNCH_MS
    const paused = new SharedFlag()
    const task = { ...rest, launchMs, paused: paused.buffer, start: undefined as Start | undefined }
    super({
      name: options.device.api,
      kind: "gpu",
      firstUnit: number,
      workers: 1,
      entry,
      // Threads are started after `#prepare` has set `start`.
      task: () => task as DeviceTask,
      patience: PATIENCE,
      random,
      clock,
      log,
    })
    this.#tune = tune
    this.#task = task
    this.#paused = paused
  }

  /** Pauses the device after its queued launches; it keeps its work and its counts. */
  setPaused(paused: boolean): void {
    this.#paused.value = paused
  }

  override prepare(): Promise<void> {
    this.#tuned ??= this.#prepare()
    return this.#tuned
  }

  override close(): Promise<void> {
    this.#closed = true
    return super.close()
  }

  async #prepare(): Promise<void> {
    const tuned = await this.#tune()
    if (tuned.kind === "unusable") throw new RefusedKernel(tuned.why, true)
    this.#task.start = tuned
    if (this.#closed) throw new RefusedKernel("the miner stops", true)
    await super.prepare()
  }
}
