import type { Clock } from "../../src/clock.ts"

interface Timer {
  due: number
  readonly every: number | undefined
  readonly callback: () => void
}

/** A clock that stands still until `advance`; timers fire in order of their time, ties in order of creation. */
export class FakeClock implements Clock {
  #now: number
  readonly #timers = new Set<Timer>()

  constructor(start = 0) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    return this.#add({ due: this.#now + Math.max(0, ms), every: undefined, callback })
  }

  every(ms: number, callback: () => void): () => void {
    if (!(ms > 0)) throw new RangeError(`interval: expected more than 0 ms, got ${ms}`)
    return this.#add({ due: this.#now + ms, every: ms, callback })
  }

  /** Timers not yet fired or cancelled. */
  get pending(): number {
    return this.#timers.size
  }

  /**
   * Moves time on by `ms`, firing what falls due, each at its own time. Promises that the callbacks settle are given
   * turns of the event loop to run in between, so timers set by awaiting code fire within the same `advance`.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.due)
      if (timer.every === undefined) this.#timers.delete(timer)
      else timer.due += timer.every
      timer.callback()
      await settle()
    }
    this.#now = end
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) if (timer.due <= end && (!next || timer.due < next.due)) next = timer
    return next
  }
}

/** Lets every promise that is ready run, and what follows from it, without time passing. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}
