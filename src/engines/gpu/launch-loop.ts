/**
 * A GPU worker's search: keep two launches queued, so that the device never waits for its host, and account for them in
 * order. `Commits` treats a launch as a CPU's row: it counts when it is finished, and counts nothing if its work was
 * replaced or ended meanwhile.
 */
import { HITS } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import type { PermuteInPlace } from "../../kernel/nonce-plane.ts"
import { mod } from "../../pow/field.ts"
import { permute } from "../../pow/poseidon2.ts"
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
  /** Milliseconds that the device rests between two launches; 0: none. */
  readonly throttleMs: number
  readonly sleep: (ms: number) => void
  /** `SALT_BYTES`. */
  readonly salt: Uint8Array
  /** Makes the engine look at the slot. */
  readonly notify: () => void
}

/** A rest is split into naps of this length, so that the worker beats and notices that its work has ended. */
const NAP_MS = 50

/** A launch of rows of a plane, and the work that it was queued for. */
interface Queued {
  readonly launch: Launch
  readonly plane: Plane
  readonly work: SharedWork
  readonly version: number
}

/** Searches until the engine asks the worker to leave. @throws DeviceError */
export function launchLoop(options: LaunchLoopOptions): void {
  new LaunchLoop(options).run()
}

class LaunchLoop {
  readonly #options: LaunchLoopOptions
  readonly #commits: Commits
  readonly #nonces: Nonces
  readonly #queued: Queued[] = []

  constructor(options: LaunchLoopOptions) {
    this.#options = options
    this.#commits = new Commits(options)
    this.#nonces = new Nonces({ ...options, kernel: options.device, permute: permuteOnHost }, this.#commits)
  }

  run(): void {
    const { memory, slot } = this.#options
    while (!slot.leaving) {
      slot.beat()
      const { version } = memory
      const work = memory.read(version)
      if (work === undefined) continue
      if (work && this.#isOpen(work, version)) this.#search(work, version)
      else if (this.#queued.length > 0) this.#settle()
      else memory.sleep(version)
    }
    while (this.#queued.length > 0) this.#settle()
  }

  #isOpen(work: SharedWork, version: number): boolean {
    const { memory, slot } = this.#options
    return memory.isOpen(version) && !(work.range && slot.drainedAt === version)
  }

  #search(work: SharedWork, version: number): void {
    const { slot, device } = this.#options
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

  /** Takes the oldest launch's hits and accounts for it. */
  #settle(): void {
    const { launch, plane, work, version } = this.#queued.shift()!
    const hits = this.#options.device.take(launch)
    this.#commits.commit(version, work, plane.tested(launch.first, ROW, launch.nonces, hits))
    this.#rest(version)
  }

  #rest(version: number): void {
    const { slot, sleep, throttleMs } = this.#options
    for (let left = throttleMs; left > 0 && this.#commits.continues(version); left -= NAP_MS) {
      slot.beat()
      sleep(Math.min(NAP_MS, left))
    }
  }

  /** Rows of a launch whose expected hits fill at most half of the device's buffer. */
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

/** The device would run a midstate's two permutations only after the launches that are queued. */
const permuteOnHost: PermuteInPlace = state => state.set(permute([...state].map(mod)))
