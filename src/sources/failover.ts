/**
 * Several sources as one, in order of preference. When a source has had no job for too long, the next one is started
 * and takes over with its first job. A job whose search ended with a seal no longer counts. A preferred source stays
 * connected, or keeps trying to connect, and takes over again with its next job; one that loses its connections before
 * they have worked must first prove itself. Only the active source's jobs are handed over.
 */
import type { Clock } from "../clock.ts"
import { sleep } from "../clock.ts"
import type { OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import { WORKED_MS } from "./backoff.ts"
import type { DisconnectReason, Job, JobSource, Seal, SourceEvents, Verdict } from "./source.ts"

export interface FailoverOptions {
  /** Creates the sources, in order of preference; called each time a source is needed. At least one. */
  readonly sources: readonly (() => JobSource)[]
  readonly clock: Clock
  readonly log: Log
  /** Maximum time without a job before the next source is started. */
  readonly patienceMs?: number
}

export const DEFAULT_PATIENCE_MS = 10_000

/** Maximum wait for the answers to the seals of a source that is no longer needed. */
const DRAIN_MS = 5000

/** A source that loses this many consecutive connections before they have worked must work first to take over. */
const MAX_LOSSES = 3

export function createFailover(options: FailoverOptions): JobSource {
  return options.sources.length === 1 ? options.sources[0]!() : new Failover(options)
}

interface Place {
  readonly rank: number
  readonly make: () => JobSource
  source: JobSource | undefined
  /** The source's current job, while it is connected. */
  job: Job | undefined
  failure: OperatorError | undefined
  /** Runs from the start or the loss of a job until the source has worked. */
  cancelPatience: (() => void) | undefined
  /** Patience has run out since the source last worked: without a job, the next source is needed. */
  overdue: boolean
  /** Consecutive connections lost before they had worked. */
  losses: number
  /** Runs while the source has a job, until it has worked. */
  cancelWorked: (() => void) | undefined
  /** The source has worked since its last connection was opened. */
  worked: boolean
}

class Failover implements JobSource {
  readonly name = "failover"
  readonly #options: FailoverOptions
  readonly #places: readonly Place[]
  readonly #owners = new WeakMap<Job, { readonly place: Place; readonly source: JobSource }>()
  readonly #submissions = new Map<JobSource, Set<Promise<Verdict>>>()
  readonly #draining = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #events: SourceEvents | undefined
  /** The place whose jobs are handed over. It stays active while it is down, until another has a job. */
  #active: Place | undefined

  constructor(options: FailoverOptions) {
    this.#options = options
    this.#places = options.sources.map((make, rank) => ({
      rank,
      make,
      source: undefined,
      job: undefined,
      failure: undefined,
      cancelPatience: undefined,
      overdue: false,
      losses: 0,
      cancelWorked: undefined,
      worked: false,
    }))
  }

  start(events: SourceEvents): void {
    this.#events = events
    this.#launch(this.#places[0])
  }

  async submit(seal: Seal): Promise<Verdict> {
    const { place, source } = this.#owners.get(seal.job) ?? {}
    const submissions = source && this.#submissions.get(source)
    if (!place || !submissions) return { result: "stale" }
    const submission = source.submit(seal)
    submissions.add(submission)
    const verdict = await submission
    submissions.delete(submission)
    if (place.source === source && this.#events) this.#hasSealed(place, seal.job, verdict, this.#events)
    return verdict
  }

  exhausted(job: Job, hashes: bigint, seconds: number): void {
    this.#owners.get(job)?.source.exhausted?.(job, hashes, seconds)
  }

  async close(): Promise<void> {
    this.#events = undefined
    this.#closing.abort()
    for (const place of this.#places) this.#retire(place)
    await Promise.all(this.#draining)
  }

  #launch(place: Place | undefined): void {
    if (!place || place.source) return
    if (place.failure) {
      this.#launchAfter(place)
      return
    }
    const source = place.make()
    place.source = source
    this.#submissions.set(source, new Set())
    this.#startPatience(place)
    source.start(this.#eventsOf(place, source))
  }

  #launchAfter(place: Place): void {
    this.#launch(this.#places[place.rank + 1])
    // It may have had a job since before this one lost its own.
    if (this.#events) this.#choose(this.#events)
  }

  /** @returns the events for a source; they are ignored after its place has changed its source */
  #eventsOf(place: Place, source: JobSource): SourceEvents {
    const report = (act: (events: SourceEvents) => void) => {
      if (place.source === source && this.#events) act(this.#events)
    }
    return {
      connected: name => report(events => events.connected(name)),
      disconnected: (reason, message, retryIn, name) =>
        report(events => {
          if (place.job && !place.worked) place.losses++
          place.worked = false
          this.#lostJob(place)
          events.disconnected(reason, message, retryIn, name)
        }),
      unusable: (message, name) =>
        report(() => {
          this.#options.log.warn(`${name} counts as down: ${message}`)
          place.losses = MAX_LOSSES
          place.overdue = true
          this.#lostJob(place)
        }),
      job: job =>
        report(events => {
          this.#owners.set(job, { place, source })
          this.#gainedJob(place, job, events)
        }),
      noJob: () =>
        report(events => {
          this.#lostJob(place)
          if (place === this.#active) events.noJob()
        }),
      failed: error => report(events => this.#failed(place, error, events)),
    }
  }

  #gainedJob(place: Place, job: Job, events: SourceEvents): void {
    place.job = job
    if (place.worked) this.#stopPatience(place)
    else place.cancelWorked ??= this.#options.clock.after(WORKED_MS, () => this.#hasWorked(place, events))
    if (place === this.#active) events.job(job)
    else this.#choose(events)
  }

  #lostJob(place: Place): void {
    place.job = undefined
    place.cancelWorked?.()
    place.cancelWorked = undefined
    if (place.overdue) this.#launchAfter(place)
    else this.#startPatience(place)
  }

  /** A job whose search ends with its seal is no job any more, until the source sends the next. */
  #hasSealed(place: Place, job: Job, { result }: Verdict, events: SourceEvents): void {
    const isOver = job.afterSeal === "wait" && place.job === job
    if (isOver) place.job = undefined
    if (result === "accepted" || result === "sent") this.#hasWorked(place, events)
    else if (isOver) this.#lostJob(place)
  }

  /** The source has had a job for `WORKED_MS`, or one of its seals was accepted or sent. */
  #hasWorked(place: Place, events: SourceEvents): void {
    place.cancelWorked?.()
    place.cancelWorked = undefined
    place.worked = true
    place.overdue = false
    place.losses = 0
    this.#stopPatience(place)
    if (!place.job) this.#startPatience(place)
    this.#choose(events)
  }

  #startPatience(place: Place): void {
    const { clock, patienceMs = DEFAULT_PATIENCE_MS } = this.#options
    place.cancelPatience ??= clock.after(patienceMs, () => {
      place.cancelPatience = undefined
      place.overdue = true
      if (!place.job) this.#launchAfter(place)
    })
  }

  #stopPatience(place: Place): void {
    place.cancelPatience?.()
    place.cancelPatience = undefined
  }

  /** Activates the most preferred source that has a job; a source that must work first only if no other has a job. */
  #choose(events: SourceEvents): void {
    const withJob = this.#places.filter(({ job }) => job !== undefined)
    const best = withJob.find(({ losses }) => losses < MAX_LOSSES) ?? withJob[0]
    if (!best?.job || best === this.#active) return
    if (this.#active) {
      this.#options.log.info(`mining for ${best.job.source}`)
      this.#stopPatience(best)
      best.overdue = false
    }
    this.#active = best
    events.job(best.job)
    for (const place of this.#places.slice(best.rank + 1)) this.#retire(place)
  }

  #failed(place: Place, error: OperatorError, events: SourceEvents): void {
    place.failure = error
    this.#retire(place, "rejected", error.message)
    if (place === this.#active) {
      this.#active = undefined
      events.noJob()
    }
    if (this.#places.every(({ failure }) => failure)) {
      events.failed(this.#places[0]!.failure!)
      return
    }
    this.#options.log.error(error.message)
    this.#launchAfter(place)
    this.#choose(events)
  }

  /** Clears a place; its source is closed after its seals are answered. */
  #retire(place: Place, reason: DisconnectReason = "closed", message = "another source has a job"): void {
    const { source } = place
    this.#stopPatience(place)
    place.cancelWorked?.()
    place.cancelWorked = undefined
    place.job = undefined
    place.source = undefined
    place.worked = false
    place.overdue = false
    place.losses = 0
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
