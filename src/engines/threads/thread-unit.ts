import type { Platform, ThreadActivity } from "../../host/platform.ts"
import type { Unit } from "../engine.ts"
import type { EngineSlot } from "./views.ts"
import type { WorkerThread } from "./worker-thread.ts"

/** The thread that a unit has now. */
export interface CurrentThread<Task> {
  readonly thread: WorkerThread<Task>
  readonly slot: EngineSlot
  /** True while it searches or sleeps; false while it loads its task or waits for another one. */
  ready: boolean
  /** The latest that it was ordered to search with. */
  task?: Task
  /** Settles when the thread has answered its latest order. */
  answered: Promise<void>
  /** The system's number of the thread; known once it is ready. */
  threadId?: number | undefined
  /** True once the system has reported the thread's activity; from then on, no report means that it has ended. */
  isObserved: boolean
}

export interface ThreadUnitOptions {
  readonly id: string
  readonly kind: Unit["kind"]
  readonly index: number
  /** Returns the sequence that the engine's workers search now, 0 if none. */
  readonly searching: () => number
  /** What a thread of this process does. */
  readonly activity: Platform["threadActivity"]
}

/** A unit of an engine over all the threads that it has had. */
export class ThreadUnit<Task> implements Unit {
  #id: string
  readonly kind: Unit["kind"]
  readonly index: number
  /** Undefined before the start, and after the unit was given up or removed. */
  current: CurrentThread<Task> | undefined
  /** Slots of former threads whose counts are not in `#past` yet. */
  readonly former: { readonly slot: EngineSlot; gone: boolean }[] = []
  /** The last sequence that `switched` was called with. */
  reported = 0
  /** Looks since the heartbeat last changed. */
  still = 0
  heartbeat = -1
  /** CPU time of the thread at the first look without a heartbeat, in milliseconds. */
  stillCpuMs: number | undefined
  /** Clock milliseconds of the last line about starvation. */
  starvedAt = Number.NEGATIVE_INFINITY
  /** Recent failures of this unit's threads, clock milliseconds. */
  failures: number[] = []
  /** Logical CPU that its threads are bound to. */
  cpu: number | undefined
  readonly #past = { hashes: 0n, expectedSeals: 0 }
  /** Counts at the last renaming. */
  #before = { hashes: 0n, expectedSeals: 0 }
  readonly #searching: () => number
  readonly #activity: Platform["threadActivity"]

  constructor({ id, kind, index, searching, activity }: ThreadUnitOptions) {
    this.#id = id
    this.kind = kind
    this.index = index
    this.#searching = searching
    this.#activity = activity
  }

  get id(): string {
    return this.#id
  }

  /** The counts start again at zero. */
  rename(id: string): void {
    this.#before = { hashes: this.#allHashes, expectedSeals: this.#allExpectedSeals }
    this.#id = id
  }

  get slots(): EngineSlot[] {
    const former = this.former.map(({ slot }) => slot)
    return this.current ? [...former, this.current.slot] : former
  }

  get hashes(): bigint {
    return this.#allHashes - this.#before.hashes
  }

  get expectedSeals(): number {
    return this.#allExpectedSeals - this.#before.expectedSeals
  }

  get #allHashes(): bigint {
    return this.slots.reduce((sum, slot) => sum + slot.hashes, this.#past.hashes)
  }

  get #allExpectedSeals(): number {
    return this.slots.reduce((sum, slot) => sum + slot.expectedSeals, this.#past.expectedSeals)
  }

  get sequence(): number {
    const sequence = this.#searching()
    return this.current?.slot.sequence === sequence ? sequence : 0
  }

  /** What its thread does; undefined if it has ended, has never been ready, or the system does not report it. */
  get activity(): ThreadActivity | undefined {
    const { threadId } = this.current ?? {}
    return threadId === undefined ? undefined : this.#activity(threadId)
  }

  /** Adds the counts of former threads that have ended to the past. @returns their slots, which are free again */
  settlePast(): EngineSlot[] {
    const ended = this.former.filter(({ gone }) => gone).map(({ slot }) => slot)
    for (const slot of ended) {
      this.#past.hashes += slot.hashes
      this.#past.expectedSeals += slot.expectedSeals
    }
    this.former.splice(0, this.former.length, ...this.former.filter(({ gone }) => !gone))
    return ended
  }
}
