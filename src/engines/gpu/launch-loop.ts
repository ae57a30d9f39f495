/**
 * The search loop of a GPU worker. It keeps two launches queued, so that the device never waits for the host, and
 * commits them in order. A launch is committed like a row on a CPU: when it has finished, and as zero nonces if its
 * work was replaced or ended meanwhile.
 */
import { HITS } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import { Commits } from "../threads/commits.ts"
import { Nonces, type Plane } from "../threads/nonces.ts"
import type { SharedWork, WorkerMemory, WorkerSlot } from "../threads/views.ts"
import { type DeviceSearch, IN_FLIGHT, type Launch } from "./device-search.ts"

export interface LaunchLoopOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
  readonly device: Pick<
    DeviceSearch,
    "setTarget" | "preparePlane" | "prepareRange" | "launchRows" | "launchRange" | "take"
  >
  /** Maximum rows of a launch. */
  readonly rows: number
  /** Pause between two launches in milliseconds; 0 for none. */
  readonly throttleMs: number
  readonly sleep: (ms: number) => void
  /** The engine's salt, `SALT_BYTES` bytes. */
  readonly salt: Uint8Array
  /** Whether the device is paused: it keeps its work, and searches nothing. */
  readonly isPaused?: () => boolean
  /** Notifies the engine that the slot has changed. */
  readonly notify: () => void
}

/** Maximum sleep within a pause. Between sleeps, the worker signals progress and checks whether its work has ended. */
const NAP_MS = 50

/** A launch of rows of a plane, and the work that it was queued for. */
interface Queued {
  readonly launch: Launch
  readonly plane: Plane
  readonly work: SharedWork
  readonly version: number
}

/** Searches until the engine asks the worker to leave. @throws DeviceError if the driver reports an error */
export function launchLoop(options: LaunchLoopOptions): void {
  new LaunchLoop(options).run()
}

class LaunchLoop {
  readonly #options: LaunchLoopOptions
  readonly #commits: Commits
  readonly #nonces: Nonces
  readonly #queued: Queued[] = []
  /** Version of the work that the device was prepared for last. */
  #version = 0

  constructor(options: LaunchLoopOptions) {
    this.#options = options
    this.#commits = new Commits(options)
    this.#nonces = new Nonces({ ...options, kernel: options.device }, this.#commits)
  }

  run(): void {
    const { memory, slot } = this.#options
    while (!slot.leaving) {
      slot.beat()
      const { version } = memory
      const work = memory.read(version)
      if (work === undefined) continue
      if (work && this.#isOpen(work, version) && !this.#options.isPaused?.()) this.#search(work, version)
      else if (this.#queued.length > 0) this.#settle()
      else memory.sleep(version)
    }
    while (this.#queued.length > 0) this.#settle()
  }

  /** Whether there are nonces left to search for the work. */
  #isOpen(work: SharedWork, version: number): boolean {
    const { memory, slot } = this.#options
    return memory.isOpen(version) && !(work.range && slot.drainedAt === version)
  }

  /** Queues one launch, or settles the oldest if the queue is full. Throttled devices have one launch queued. */
  #search(work: SharedWork, version: number): void {
    const { slot, device } = this.#options
    if (version !== this.#version) this.#nonces.renew()
    this.#version = version
    slot.take(work)
    device.setTarget(work.top)
    if (work.range) this.#searchChunk(work, version)
    else if (this.#queued.length < (this.#options.throttleMs > 0 ? 1 : IN_FLIGHT)) this.#queue(work, version)
    else this.#settle()
  }

  #queue(work: SharedWork, version: number): void {
    const plane = this.#nonces.plane(work)
    const rows = Math.min(this.#rowsFor(work), plane.rowsLeft)
    const launch = this.#options.device.launchRows(plane.takeRows(rows), rows)
    this.#queued.push({ launch, plane, work, version })
  }

  /** Waits for the oldest launch and commits its nonces and hits. */
  #settle(): void {
    const { launch, plane, work, version } = this.#queued.shift()!
    const hits = this.#options.device.take(launch)
    this.#commits.commit(version, work, plane.tested(launch.first, ROW, launch.nonces, hits))
    this.#rest(version)
  }

  /** Pauses for `throttleMs`, or until the work ends. */
  #rest(version: number): void {
    const { slot, sleep, throttleMs } = this.#options
    for (let left = throttleMs; left > 0 && this.#commits.continues(version); left -= NAP_MS) {
      slot.beat()
      sleep(Math.min(NAP_MS, left))
    }
  }

  /**
   * Returns the number of rows of a launch: `rows`, or fewer if the expected hits would fill half of the hit buffer.
   */
  #rowsFor(work: SharedWork): number {
    const nonces = HITS / 2 / ((Number(work.top) + 1) / 2 ** 64)
    return Math.max(1, Math.min(this.#options.rows, Math.floor(nonces / ROW)))
  }

  /** Searches one chunk of a range in a single short launch. */
  #searchChunk(work: SharedWork, version: number): void {
    const { device } = this.#options
    while (this.#queued.length > 0) this.#settle()
    const chunk = this.#nonces.chunk(work, version)
    if (!chunk) return
    const launch = device.launchRange(chunk.first, chunk.left)
    this.#commits.commit(version, work, chunk.tested(launch.nonces, device.take(launch)))
  }
}
