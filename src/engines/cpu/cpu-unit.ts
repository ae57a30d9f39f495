import type { Unit } from "../engine.ts"
import type { Slot } from "./shared-memory.ts"
import type { WorkerThread } from "./worker-thread.ts"

/** One worker as others see it, over all the threads that have been it. */
export class CpuUnit implements Unit {
  restarts = 0
  /** The thread that is the unit now, with the system's number once it is ready; undefined before the start and once it was given up or removed. */
  current:
    | { readonly thread: WorkerThread; readonly slot: Slot; ready: boolean; number?: number | undefined }
    | undefined
  /** Slots of former threads whose counts are not in `#past` yet. */
  readonly former: { readonly slot: Slot; gone: boolean }[] = []
  /** The last sequence that `switched` was told about. */
  reported = 0
  /** Looks since the heartbeat last moved, and where it stood. */
  still = 0
  heartbeat = -1
  /** When threads of this unit failed, clock milliseconds; the recent ones. */
  failures: number[] = []
  readonly #past = { hashes: 0n, expectedSeals: 0 }
  readonly #searching: () => number

  /** The logical CPU that its threads are pinned to. */
  cpu: number | undefined

  /**
   * @param searching the sequence that the engine's workers search now, 0 for none
   */
  constructor(
    readonly id: string,
    readonly kind: Unit["kind"],
    readonly index: number,
    searching: () => number,
  ) {
    this.#searching = searching
  }

  get slots(): Slot[] {
    const former = this.former.map(({ slot }) => slot)
    return this.current ? [...former, this.current.slot] : former
  }

  get hashes(): bigint {
    return this.slots.reduce((sum, slot) => sum + slot.hashes, this.#past.hashes)
  }

  get expectedSeals(): number {
    return this.slots.reduce((sum, slot) => sum + slot.expectedSeals, this.#past.expectedSeals)
  }

  get sequence(): number {
    const sequence = this.#searching()
    return this.current?.slot.sequence === sequence ? sequence : 0
  }

  /** Takes over the counts of former threads that have ended. @returns their slots, free from now on */
  settlePast(): Slot[] {
    const ended = this.former.filter(({ gone }) => gone).map(({ slot }) => slot)
    for (const slot of ended) {
      this.#past.hashes += slot.hashes
      this.#past.expectedSeals += slot.expectedSeals
    }
    this.former.splice(0, this.former.length, ...this.former.filter(({ gone }) => !gone))
    return ended
  }
}
