/**
 * The API's jobs from acceptance until deletion. Jobs take turns: each turn searches one slice of a job's range, so that
 * a job with a huge range does not starve other jobs and every job reports progress.
 */
import type { Clock } from "../../clock.ts"
import type { Job, JobOutcome, NonceRange, Seal } from "../source.ts"
import type { MineRequest } from "./mine-request.ts"

export type ApiJobStatus = "running" | JobOutcome

/** The body of `GET /result`. */
export interface ApiJobResult {
  /** `running` includes jobs that wait for their turn. */
  readonly status: ApiJobStatus
  readonly job_id: string
  /** 128 hex digits; null unless completed. */
  readonly nonce: string | null
  readonly work: string | null
  /** Nonces tested; while running, up to the last finished slice. */
  readonly hash_count: number
  /** Seconds from the start of the first slice until now or the end. */
  readonly elapsed_time: number
}

export interface QueueLimits {
  /** Maximum number of unfinished jobs. */
  readonly maxUnfinished: number
  /** Maximum number of finished jobs; the oldest is deleted first. */
  readonly maxFinished: number
  /** Age at which an unfinished job is cancelled. */
  readonly maxAgeMs: number
  /** Time after which a finished job is deleted. */
  readonly keepMs: number
}

export const defaultLimits: QueueLimits = {
  maxUnfinished: 64,
  maxFinished: 1024,
  maxAgeMs: 60 * 60_000,
  keepMs: 5 * 60_000,
}

export interface QueueEvents {
  /** Search this slice instead of the previous one. */
  search(slice: Job): void
  /** Nothing is left to search. */
  idle(): void
}

export class QueueFull extends Error {
  override readonly name = "QueueFull"
}

export class KnownJob extends Error {
  override readonly name = "KnownJob"
}

/** Intended duration of a slice: short for a waiting client, long compared with the milliseconds of a switch. */
const SLICE_SECONDS = 2
const FIRST_SLICE = 2 ** 18
/** Maximum growth from one slice to the next, which bounds the effect of an outlier. */
const MAX_GROWTH = 16
/** Slices end just before a multiple of this, where kernels change rows. */
const ALIGNMENT = 2n ** 16n

interface Entry {
  readonly request: MineRequest
  status: ApiJobStatus
  seal: Seal | undefined
  /** The first untested nonce. */
  next: bigint
  /** Clock milliseconds of the first slice's start; undefined before. */
  startedAt: number | undefined
  endedAt: number | undefined
  hashes: bigint
  cancelTimer: () => void
}

export class JobQueue {
  readonly #source: string
  readonly #clock: Clock
  readonly #events: QueueEvents
  readonly #limits: QueueLimits
  readonly #entries = new Map<string, Entry>()
  readonly #waiting: Entry[] = []
  #running: { readonly entry: Entry; readonly slice: Job } | undefined
  #sliceSize = FIRST_SLICE

  /** @param source `Job.source` of the jobs */
  constructor(source: string, clock: Clock, events: QueueEvents, limits: QueueLimits = defaultLimits) {
    this.#source = source
    this.#clock = clock
    this.#events = events
    this.#limits = limits
  }

  /** @throws KnownJob, QueueFull */
  add(request: MineRequest): void {
    if (this.#entries.has(request.id)) throw new KnownJob(request.id)
    if (this.#waiting.length + (this.#running ? 1 : 0) >= this.#limits.maxUnfinished) throw new QueueFull(request.id)
    const entry: Entry = {
      request,
      status: "running",
      seal: undefined,
      next: request.range.first,
      startedAt: undefined,
      endedAt: undefined,
      hashes: 0n,
      cancelTimer: this.#clock.after(this.#limits.maxAgeMs, () => void this.cancel(request.id)),
    }
    this.#entries.set(request.id, entry)
    this.#waiting.push(entry)
    if (!this.#running) this.#searchNext()
  }

  result(id: string): ApiJobResult | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    const nonce = entry.seal ? entry.seal.nonce.toHex() : null
    const { startedAt, endedAt = this.#clock.now() } = entry
    return {
      status: entry.status,
      job_id: id,
      nonce,
      work: nonce,
      hash_count: Number(entry.hashes),
      elapsed_time: startedAt === undefined ? 0 : (endedAt - startedAt) / 1000,
    }
  }

  /** Cancels an unfinished job. @returns false if no unfinished job has this id */
  cancel(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry?.status !== "running") return false
    this.#finish(entry, "cancelled")
    return true
  }

  /** Records the seal of the current slice. @returns false if its job is no longer searched */
  seal(seal: Seal): boolean {
    if (this.#running?.slice !== seal.job) return false
    const { entry } = this.#running
    entry.seal = seal
    entry.hashes += seal.hashes
    this.#finish(entry, "completed")
    return true
  }

  /** The current slice has no seal. */
  exhausted(slice: Job, hashes: bigint, seconds: number): void {
    if (this.#running?.slice !== slice) return
    const { entry } = this.#running
    this.#sliceSize = Math.max(1, Math.min(this.#sliceSize * MAX_GROWTH, (Number(hashes) / seconds) * SLICE_SECONDS))
    entry.hashes += hashes
    entry.next = slice.range!.last + 1n
    if (entry.next > entry.request.range.last) {
      this.#finish(entry, "failed")
    } else {
      this.#waiting.push(entry)
      this.#searchNext()
    }
  }

  /** Deletes all jobs without reporting events. */
  clear(): void {
    for (const { cancelTimer } of this.#entries.values()) cancelTimer()
    this.#entries.clear()
    this.#waiting.length = 0
    this.#running = undefined
  }

  #searchNext(): void {
    const entry = this.#waiting.shift()
    if (!entry) {
      this.#running = undefined
      this.#events.idle()
      return
    }
    const receivedAt = this.#clock.now()
    entry.startedAt ??= receivedAt
    const { id, header, difficulty } = entry.request
    const range = this.#sliceOf(entry)
    const slice: Job = {
      id,
      source: this.#source,
      header,
      difficulty,
      prefix: new Uint8Array(),
      range,
      slice: { isLast: range.last === entry.request.range.last },
      afterSeal: "wait",
      receivedAt,
    }
    this.#running = { entry, slice }
    this.#events.search(slice)
  }

  #sliceOf({ next, request }: Entry): NonceRange {
    const end = (next + BigInt(Math.ceil(this.#sliceSize))) | (ALIGNMENT - 1n)
    return { first: next, last: end < request.range.last ? end : request.range.last }
  }

  #finish(entry: Entry, status: ApiJobStatus): void {
    entry.status = status
    entry.endedAt = this.#clock.now()
    entry.cancelTimer()
    entry.cancelTimer = this.#clock.after(this.#limits.keepMs, () => this.#entries.delete(entry.request.id))
    // Moves the job to the end of the map, so that finished jobs are in the order in which they ended.
    this.#entries.delete(entry.request.id)
    this.#entries.set(entry.request.id, entry)
    this.#deleteOldest()
    const waiting = this.#waiting.indexOf(entry)
    if (waiting >= 0) this.#waiting.splice(waiting, 1)
    else this.#searchNext()
  }

  #deleteOldest(): void {
    const finished = [...this.#entries.values()].filter(({ status }) => status !== "running")
    for (const { request, cancelTimer } of finished.slice(0, Math.max(0, finished.length - this.#limits.maxFinished))) {
      cancelTimer()
      this.#entries.delete(request.id)
    }
  }
}
