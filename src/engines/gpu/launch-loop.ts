/**
 * What a device's worker does all its life: keep two launches queued, so that the device never waits for its host, and
 * account for them in order. A launch is to `Commits` what a row is on a CPU: it counts when it is done, and one whose
 * work was replaced or ended meanwhile counts nothing.
 */

import { HITS } from "../../kernel/device-program.ts"
import { ROW } from "../../kernel/kernel.ts"
import { type PermuteInPlace, PLANE_ROWS, planeNonce, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import { mod } from "../../pow/field.ts"
import { permute } from "../../pow/poseidon2.ts"
import type { NonceRange } from "../../sources/source.ts"
import { baseNonce } from "../cpu/base-nonce.ts"
import { Commits } from "../cpu/commits.ts"
import { nextChunk, Place } from "../cpu/leases.ts"
import { chunkOf, nonceAt, rangeOf } from "../cpu/range.ts"
import type { Progress, SharedMemory, SharedWork, Slot } from "../cpu/shared-memory.ts"
import { type DeviceSearch, IN_FLIGHT, type Launch } from "./device-search.ts"

export interface LaunchLoopOptions {
  readonly memory: SharedMemory
  readonly slot: Slot
  readonly device: Pick<
    DeviceSearch,
    "setTarget" | "preparePlane" | "prepareRange" | "launchRows" | "launchRange" | "take"
  >
  /** Rows of a launch, at most. */
  readonly rows: number
  /** Milliseconds that the device rests between two launches; 0: it never does. */
  readonly throttleMs: number
  /** Sleeps so many milliseconds. */
  readonly sleep: (ms: number) => void
  readonly salt: Uint8Array
  /** Tells the engine to look at the slot. */
  readonly ring: () => void
}

/** A rest is looked up from so often, in milliseconds, to show that the worker lives and to see whether it is to go on. */
const NAP = 50

/** A launch of rows of a plane, and the work that it was queued for. */
interface Queued {
  readonly launch: Launch
  readonly base: Uint8Array
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
  readonly #queued: Queued[] = []
  #plane: { readonly sequence: number; readonly base: Uint8Array; row: number } | undefined

  constructor(options: LaunchLoopOptions) {
    this.#options = options
    this.#commits = new Commits(options)
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
    if (work.range) this.#searchRange(work, version, rangeOf(work.range))
    else if (this.#queued.length < (this.#options.throttleMs > 0 ? 1 : IN_FLIGHT)) this.#queue(work, version)
    else this.#settle()
  }

  #queue(work: SharedWork, version: number): void {
    const { device } = this.#options
    const plane = this.#planeFor(work)
    const rows = Math.min(this.#rowsFor(work), PLANE_ROWS - plane.row)
    const launch = device.launchRows(plane.row, rows)
    plane.row += rows
    this.#queued.push({ launch, base: plane.base, work, version })
  }

  /** Takes the oldest launch's hits and accounts for it. */
  #settle(): void {
    const { launch, base, work, version } = this.#queued.shift()!
    this.#commits.commit(version, work, {
      tested: launch.nonces,
      hits: this.#options.device.take(launch),
      nonce: index => planeNonce(base, launch.first + Math.floor(index / ROW), index % ROW),
      isMine: () => true,
      done: () => true,
    })
    this.#rest(version)
  }

  #rest(version: number): void {
    const { slot, sleep, throttleMs } = this.#options
    for (let left = throttleMs; left > 0 && this.#commits.goesOn(version); left -= NAP) {
      slot.beat()
      sleep(Math.min(NAP, left))
    }
  }

  #planeFor(work: SharedWork): { readonly base: Uint8Array; row: number } {
    if (this.#plane?.sequence === work.sequence && this.#plane.row < PLANE_ROWS) return this.#plane
    const { slot, salt, device } = this.#options
    const base = baseNonce(work.prefix, salt, slot.index, slot.nextPlane())
    device.preparePlane(spongeBeforeLast(work.header, base, permuteOnHost))
    this.#plane = { sequence: work.sequence, base, row: 0 }
    return this.#plane
  }

  /** So many rows that their hits are expected to fill half of the device's buffer at most. */
  #rowsFor(work: SharedWork): number {
    const nonces = HITS / 2 / ((Number(work.top) + 1) / 2 ** 64)
    return Math.max(1, Math.min(this.#options.rows, Math.floor(nonces / ROW)))
  }

  /** Searches one chunk of a range, or as much of it as the search goes on for: launches are short then, one at a time. */
  #searchRange(work: SharedWork, version: number, range: NonceRange): void {
    while (this.#queued.length > 0) this.#settle()
    const { memory, slot, ring } = this.#options
    let progress = slot.progress(work.sequence)
    let part = progress && chunkOf(range, progress.chunk)
    if (!progress || !part || progress.offset >= part.end) {
      progress = nextChunk(memory, slot, work.sequence, range)
      if (!progress) {
        if (!this.#commits.goesOn(version)) return
        slot.markDrained(version)
        ring()
        return
      }
      slot.beginChunk(work.sequence, progress)
      part = chunkOf(range, progress.chunk)!
    }
    this.#searchPart(work, version, part.base, progress, part.end)
  }

  #searchPart(work: SharedWork, version: number, base: Uint8Array, progress: Progress, end: number): void {
    const { slot, device } = this.#options
    const first = new DataView(base.buffer).getUint32(60)
    const begin = progress.offset
    const head = base.slice()
    head.fill(0, 60)
    device.prepareRange(spongeBeforeLast(work.header, head, permuteOnHost))
    const launch = device.launchRange(first + begin, end - begin)
    const place = new Place(slot, progress)
    this.#commits.commit(version, work, {
      tested: launch.nonces,
      hits: device.take(launch),
      nonce: offset => nonceAt(base, begin + offset),
      isMine: () => place.isMine,
      done: offset => place.advance(begin + offset),
    })
  }
}

/** Two permutations a plane: the device would put them behind the launches that are queued. */
const permuteOnHost: PermuteInPlace = state => state.set(permute([...state].map(mod)))
