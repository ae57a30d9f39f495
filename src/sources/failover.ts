/**
 * Several sources as one, in order of preference. The next is started when one has been down for too long, and takes
 * over with its first job; whatever is preferred to it keeps trying to connect, and takes over again with its own first
 * job. Only one's jobs are ever handed over: the others are started, or connected, but not mined for.
 */
import type { Clock } from "../clock.ts"
import { sleep } from "../clock.ts"
import type { OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import type { DisconnectReason, Job, JobSource, Seal, SourceEvents, Verdict } from "./source.ts"

export interface FailoverOptions {
  /** Makers of the sources, the preferred first; called anew each time one is needed. At least one. */
  readonly sources: readonly (() => JobSource)[]
  readonly clock: Clock
  readonly log: Log
  /** How long a source may be down, while it tries again, before the next is started. */
  readonly patienceMs?: number
}

export const DEFAULT_PATIENCE_MS = 10_000

/** How long a source that is no longer needed may wait for the answers to its seals. */
const DRAIN_MS = 5000

export function createFailover(options: FailoverOptions): JobSource {
  return options.sources.length === 1 ? options.sources[0]!() : new Failover(options)
}

interface Slot {
  readonly rank: number
  readonly make: () => JobSource
  source: JobSource | undefined
  /** Its current job, while it is connected. */
  job: Job | undefined
  failure: OperatorError | undefined
  /** Running while it is down. */
  cancelPatience: (() => void) | undefined
}

class Failover implements JobSource {
  readonly #options: FailoverOptions
  readonly name = "failover"
  readonly #slots: readonly Slot[]
  readonly #owners = new WeakMap<Job, JobSource>()
  readonly #submissions = new Map<JobSource, Set<Promise<Verdict>>>()
  readonly #draining = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #events: SourceEvents | undefined
  /** Whose jobs are handed over; it stays so while it is down, until another has a job. */
  #active: Slot | undefined

  constructor(options: FailoverOptions) {
    this.#options = options
    this.#slots = options.sources.map((make, rank) => ({
      rank,
      make,
      source: undefined,
      job: undefined,
      failure: undefined,
      cancelPatience: undefined,
    }))
  }

  start(events: SourceEvents): void {
    this.#events = events
    this.#launch(this.#slots[0]!)
  }

  async submit(seal: Seal): Promise<Verdict> {
    const owner = this.#owners.get(seal.job)
    const submissions = owner && this.#submissions.get(owner)
    if (!owner || !submissions) return { result: "stale" }
    const verdict = owner.submit(seal)
    submissions.add(verdict)
    void verdict.then(() => submissions.delete(verdict))
    return await verdict
  }

  exhausted(job: Job, hashes: bigint, seconds: number): void {
    this.#owners.get(job)?.exhausted?.(job, hashes, seconds)
  }

  async close(): Promise<void> {
    this.#events = undefined
    this.#closing.abort()
    for (const slot of this.#slots) this.#retire(slot)
    await Promise.all(this.#draining)
  }

  #launch(slot: Slot | undefined): void {
    if (!slot || slot.source) return
    if (slot.failure) {
      this.#launch(this.#slots[slot.rank + 1])
      return
    }
    const source = slot.make()
    slot.source = source
    this.#submissions.set(source, new Set())
    this.#countDown(slot)
    source.start(this.#eventsOf(slot, source))
  }

  /** @returns what a slot's source reports to; silent once the slot has another source or none */
  #eventsOf(slot: Slot, source: JobSource): SourceEvents {
    const tell = (act: (events: SourceEvents) => void) => {
      if (slot.source === source && this.#events) act(this.#events)
    }
    return {
      connected: name =>
        tell(events => {
          slot.cancelPatience?.()
          slot.cancelPatience = undefined
          events.connected(name)
        }),
      disconnected: (reason, message, retryIn, name) =>
        tell(events => {
          slot.job = undefined
          this.#countDown(slot)
          events.disconnected(reason, message, retryIn, name)
        }),
      job: job =>
        tell(events => {
          this.#owners.set(job, source)
          slot.job = job
          if (slot === this.#active) events.job(job)
          else this.#choose(events)
        }),
      noJob: () =>
        tell(events => {
          slot.job = undefined
          if (slot === this.#active) events.noJob()
        }),
      failed: error => tell(events => this.#failed(slot, error, events)),
    }
  }

  #countDown(slot: Slot): void {
    const { clock, patienceMs = DEFAULT_PATIENCE_MS } = this.#options
    slot.cancelPatience ??= clock.after(patienceMs, () => this.#launch(this.#slots[slot.rank + 1]))
  }

  /** Hands over to the most preferred source that has a job, if that is another. */
  #choose(events: SourceEvents): void {
    const best = this.#slots.find(({ job }) => job !== undefined)
    if (!best?.job || best === this.#active) return
    if (this.#active) this.#options.log.info(`Mining for ${best.job.source}`)
    this.#active = best
    events.job(best.job)
    for (const slot of this.#slots.slice(best.rank + 1)) this.#retire(slot)
  }

  #failed(slot: Slot, error: OperatorError, events: SourceEvents): void {
    slot.failure = error
    this.#retire(slot, "rejected", error.message)
    if (slot === this.#active) {
      this.#active = undefined
      events.noJob()
    }
    if (this.#slots.every(({ failure }) => failure)) {
      events.failed(this.#slots[0]!.failure!)
      return
    }
    this.#options.log.error(error.message)
    this.#launch(this.#slots[slot.rank + 1])
  }

  /** Frees a slot; its source ends in its own time. */
  #retire(slot: Slot, reason: DisconnectReason = "closed", message = "not needed for now"): void {
    const { source } = slot
    slot.cancelPatience?.()
    slot.cancelPatience = undefined
    slot.job = undefined
    slot.source = undefined
    if (!source) return
    this.#events?.disconnected(reason, message, Number.POSITIVE_INFINITY, source.name)
    const drained = this.#drain(source)
    this.#draining.add(drained)
    void drained.finally(() => this.#draining.delete(drained))
  }

  async #drain(source: JobSource): Promise<void> {
    const submissions = this.#submissions.get(source)!
    this.#submissions.delete(source)
    await Promise.race([Promise.all(submissions), sleep(this.#options.clock, DRAIN_MS, this.#closing.signal)])
    await source.close()
  }
}
