/** A CPU worker's search: take up the current work, test it row by row, sleep while there is nothing to do. */
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { Commits } from "../threads/commits.ts"
import { Nonces } from "../threads/nonces.ts"
import { CHUNK } from "../threads/range.ts"
import type { SharedWork, WorkerMemory, WorkerSlot } from "../threads/views.ts"

export interface SearchOptions {
  readonly memory: WorkerMemory
  readonly slot: WorkerSlot
  readonly kernel: Kernel
  /** `SALT_BYTES`, the same for all workers of the engine. */
  readonly salt: Uint8Array
  /** Makes the engine look at the slot: a candidate is in its ring, or its range has no chunk left. */
  readonly notify: () => void
}

/** Searches until the engine asks the worker to leave or recalls it. */
export function searchLoop(options: SearchOptions): void {
  new Search(options).run()
}

class Search {
  readonly #memory: WorkerMemory
  readonly #slot: WorkerSlot
  readonly #kernel: Kernel
  readonly #commits: Commits
  readonly #nonces: Nonces
  #version = 0

  constructor(options: SearchOptions) {
    const { memory, slot, kernel } = options
    this.#memory = memory
    this.#slot = slot
    this.#kernel = kernel
    this.#commits = new Commits(options)
    this.#nonces = new Nonces(options, this.#commits)
  }

  run(): void {
    while (!this.#slot.leaving) {
      this.#slot.beat()
      this.#version = this.#memory.version
      const work = this.#memory.read(this.#version)
      if (work === undefined) continue
      if (work !== null) {
        this.#slot.take(work)
        this.#kernel.setTarget(work.top)
        this.#nonces.renew()
        if (work.range) this.#searchRange(work)
        else this.#searchPlanes(work)
      }
      if (!this.#slot.leaving) this.#memory.sleep(this.#version)
    }
  }

  /** True while another row of the work of this version should be tested. */
  get #continues(): boolean {
    return this.#commits.continues(this.#version)
  }

  #searchPlanes(work: SharedWork): void {
    const { row } = this.#kernel
    while (this.#continues) {
      const plane = this.#nonces.plane(work)
      const t0 = plane.takeRows(1)
      const found = this.#timed(() => this.#kernel.searchRow(t0))
      this.#commits.commit(this.#version, work, plane.tested(t0, row, row, this.#hits(found)))
    }
  }

  #searchRange(work: SharedWork): void {
    while (this.#continues) {
      const chunk = this.#nonces.chunk(work, this.#version)
      if (!chunk) return
      while (chunk.left > 0 && this.#continues && chunk.isMine) {
        const count = Math.min(ROW, chunk.left)
        const found = this.#timed(() => this.#kernel.searchRange(chunk.first, count))
        this.#commits.commit(this.#version, work, chunk.tested(count, this.#hits(found)))
      }
    }
  }

  #timed(search: () => number): number {
    const from = performance.now()
    const found = search()
    this.#slot.addBusy(performance.now() - from)
    return found
  }

  #hits(found: number): Uint32Array {
    return this.#kernel.hits.subarray(0, found)
  }
}

/** A row never crosses a chunk's end, and a chunk never crosses a multiple of 2^32. */
if (CHUNK % ROW !== 0 || 2 ** 32 % CHUNK !== 0) throw new RangeError("chunks must be whole rows and divide 2^32")
