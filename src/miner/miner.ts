/**
 * Receives jobs from a source, assigns them to the engines, verifies candidates with the reference, and submits every
 * confirmed seal to the source.
 */
import type { Clock } from "../clock.ts"
import { type Candidate, type Engine, type EngineEvents, RefusedKernel, type Work } from "../engines/engine.ts"
import { nextSequence } from "../engines/sequence.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import { nonceHash } from "../pow/nonce-hash.ts"
import { verifySeal } from "../pow/target.ts"
import {
  type DisconnectReason,
  type Job,
  type JobSource,
  type Seal,
  type SourceEvents,
  targetOfJob,
  type Verdict,
} from "../sources/source.ts"
import type { EngineSet } from "./engine-set.ts"
import type { MinerEvents } from "./events.ts"
import { isNearMiss, isNonceOf, JobSearch } from "./job-search.ts"
import { type PauseReason, Pauses } from "./pauses.ts"
import { ageOf, describeVerdict, difficultyOf, grouped, sealsOf, secondsOf } from "./phrases.ts"
import { splitRange } from "./split-range.ts"

export interface MinerOptions {
  /** Several sources are combined by a failover. */
  readonly source: JobSource
  /** Started and closed by the miner. */
  readonly engines: EngineSet
  readonly events: MinerEvents
  readonly clock: Clock
  readonly log: Log
  /** Provides a replacement, not started, for an engine that cannot hash; undefined if none is left. */
  readonly replaceEngine?: (failed: Engine) => Promise<Engine | undefined>
  /** Engines, not started, that become available while others mine; a rejection ends mining. */
  readonly lateEngines?: () => Promise<readonly Engine[]>
  /** Time after a job's last arrival at which its search ends; it is searched again if sent again. */
  readonly maxJobAgeMs?: number | undefined
}

/** Age at which an old job is logged as a warning. A syncing node neither replaces nor cancels its job. */
const OLD_JOB_MS = 120_000

export class Miner {
  readonly #options: MinerOptions
  readonly #engines: EngineSet
  readonly #pauses = new Pauses(paused => (paused ? this.#pause() : this.#resume()))
  #search: JobSearch | undefined
  /** Live engines that have not exhausted their part of the range. */
  #unfinished = new Set<Engine>()
  #cancelOldWarning = () => {}
  #cancelMaxAge = () => {}
  #hashing = false
  /** True once an engine was lost for a reason that a restart may remove. */
  #mayStartLater = false
  readonly #ended = Promise.withResolvers<void>()
  #running = false

  constructor(options: MinerOptions) {
    this.#options = options
    this.#engines = options.engines
  }

  /**
   * Mines until `signal` is aborted, then shuts down within two seconds.
   * Rejects with an OperatorError if the source gives up, or if no engine is left that can hash.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { source } = this.#options
    const { promise, resolve } = this.#ended
    this.#running = true
    signal.addEventListener("abort", () => resolve(), { once: true })
    if (signal.aborted) resolve()
    for (const engine of this.#engines.existing) void this.#start(engine)
    source.start(this.#sourceEvents())
    this.#options.lateEngines?.().then(
      engines => this.#add(engines),
      error => this.#ended.reject(error),
    )
    try {
      await promise
    } finally {
      await this.#close()
    }
  }

  /** Sets or clears a reason for pausing; the engines are idle while at least one reason is set. */
  setPaused(reason: PauseReason, paused: boolean): void {
    if (!this.#pauses.set(reason, paused)) return
    const rest = this.#pauses.reasons
    this.#options.events.paused(rest)
    const state = rest.length > 0 ? `paused (${rest.join(", ")})` : "mining"
    this.#options.log.info(`${paused ? "pause" : "resume"} (${reason}): now ${state}`)
  }

  /** The reasons for the current pause; empty while mining. */
  get pauseReasons(): readonly PauseReason[] {
    return this.#pauses.reasons
  }

  async #close(): Promise<void> {
    this.#running = false
    this.#endSearch("the miner stops")
    await Promise.all([this.#options.source.close(), this.#engines.close()])
  }

  #add(engines: readonly Engine[]): void {
    for (const engine of engines) {
      if (!this.#running) return
      this.#engines.add(engine)
      void this.#start(engine)
    }
  }

  async #start(engine: Engine): Promise<void> {
    try {
      await engine.start(this.#engineEvents(engine))
    } catch (error) {
      this.#mayStartLater ||= !(error instanceof RefusedKernel)
      return this.#lose(engine, error instanceof Error ? error.message : String(error))
    }
    if (!this.#running) return
    this.#engines.started(engine)
    const search = this.#search
    if (search?.sequence === undefined) return
    if (!search.job.range) engine.assign(workOf(search.job, search.sequence))
    // A range that other engines already search is not divided again; this engine waits for the next.
    else if (this.#unfinished.size === 0) this.#begin(search)
  }

  /** Closes an engine that cannot hash and starts its replacement. */
  async #lose(engine: Engine, why: string): Promise<void> {
    const { log, replaceEngine } = this.#options
    if (!this.#running) return
    const search = this.#search
    const counted = search?.sequence === undefined ? 0n : engine.hashesOf(search.sequence)
    const hashed = this.#engines.remove(engine)
    if (hashed === undefined) return
    if (hashed) search?.account.loseEngine(counted)
    this.#mayStartLater ||= hashed
    log.warn(`engine ${engine.name} cannot be used: ${why}`)
    await engine.close()
    const next = await replaceEngine?.(engine)
    if (!this.#running) return void next?.close()
    if (next) {
      log.warn(`engine ${next.name} replaces ${engine.name}`)
      this.#engines.add(next)
      void this.#start(next)
    } else if (this.#engines.existing.length === 0) {
      const exitCode = this.#mayStartLater ? ExitCode.lost : ExitCode.selfTest
      this.#ended.reject(new OperatorError(`no engine is left that can hash: ${why}`, exitCode))
      return
    }
    if (this.#search?.job.range && this.#search.sequence !== undefined) this.#begin(this.#search)
  }

  #sourceEvents(): SourceEvents {
    const { events, log } = this.#options
    const net = log.withTag("net")
    return {
      connected: source => {
        net.success(`connected to ${source}`)
        events.connected(source)
      },
      disconnected: (reason: DisconnectReason, message: string, retryIn: number, source: string) => {
        if (Number.isFinite(retryIn)) net.warn(`${source}: ${message}; next attempt in ${secondsOf(retryIn)}`)
        else net.info(`${source}: ${message}`)
        events.disconnected(reason, message, retryIn, source)
      },
      job: job => this.#take(job),
      noJob: () => this.#endSearch("its source withdrew it"),
      failed: error => this.#ended.reject(error),
    }
  }

  #engineEvents(engine: Engine): EngineEvents {
    const { events, log } = this.#options
    return {
      candidate: candidate => this.#judge(engine, candidate),
      exhausted: sequence => this.#exhausted(engine, sequence),
      switched: (unit, sequence, seconds) => {
        if (!this.#hashing)
          log.debug(`first hash by ${unit}, ${(1000 * seconds).toFixed(1)} ms after the assignment of its job`)
        this.#hashing = true
        events.switched(unit, sequence, seconds)
      },
      restarted: (unit, why) => {
        log.warn(`${unit} was replaced: ${why}`)
        events.restarted(unit, why)
      },
      failed: why => void this.#lose(engine, why),
    }
  }

  #take(job: Job): void {
    if (!this.#running) return
    this.#endAtMaxAge(job)
    const before = this.#search
    if (before?.isOf(job)) {
      before.job = job
      if (before.sequence === undefined) this.#begin(before)
      return
    }
    const wasSearched = before !== undefined && this.#conclude(before)
    const search = new JobSearch(job)
    this.#search = search
    // The engines first: logging may take longer than the switch.
    this.#begin(search)
    if (before) this.#reportEnd(before, wasSearched ? "it was replaced" : undefined)
    this.#options.events.job(job)
    const level = before?.toBeContinued && before.job.id === job.id ? "debug" : "info"
    this.#options.log.withTag("job")[level](`${job.id} of ${job.source}, difficulty ${difficultyOf(job)}`)
    this.#warnWhenOld(search)
  }

  /** Assigns the job to all engines under a new sequence. */
  #begin(search: JobSearch): void {
    if (search.sequence !== undefined) search.account.endWork(this.#engines.hashesOf(search.sequence))
    search.sequence = undefined
    search.resumes = true
    if (this.#pauses.reasons.length > 0) {
      this.#engines.assign(null)
      return
    }
    const sequence = nextSequence()
    search.sequence = sequence
    const work = workOf(search.job, sequence)
    const { range } = search.job
    if (!range) {
      this.#engines.assign(work)
      return
    }
    const { live } = this.#engines
    const parts = splitRange(range, live.map(hashesSoFar))
    this.#unfinished = new Set(live.filter((_, i) => parts[i]))
    live.forEach((engine, i) => {
      engine.assign(parts[i] ? { ...work, range: parts[i] } : null)
    })
  }

  /** The account is kept, so that its hashes are attributed to the next seal. */
  #pause(): void {
    const search = this.#search
    if (search?.sequence === undefined) return
    // Each nonce of a range is tested once: the engines keep their places.
    if (search.job.range) {
      this.#engines.hold(search.sequence)
      return
    }
    search.account.endWork(this.#engines.hashesOf(search.sequence))
    search.sequence = undefined
    this.#unfinished.clear()
    this.#engines.assign(null)
  }

  #resume(): void {
    const search = this.#search
    if (!this.#running || !search) return
    if (search.sequence !== undefined) this.#engines.resume(search.sequence)
    else if (search.resumes) this.#begin(search)
  }

  #judge(engine: Engine, { sequence, nonce, unit }: Candidate): void {
    const { clock, log, events } = this.#options
    const search = this.#search
    if (!search || sequence !== search.sequence) return
    const foundAt = clock.now()
    const { job } = search
    const target = targetOfJob(job)
    const hash = isNonceOf(job, nonce) ? verifySeal(job.header, nonce, target) : undefined
    if (!hash && !(isNonceOf(job, nonce) && isNearMiss(nonceHash(job.header, nonce), target))) {
      events.mismatch(unit)
      log.error(
        `${unit} reported nonce ${nonce.toHex()}, which failed verification for job ${job.id}, header ${job.header.toHex()}: not submitted`,
      )
    }
    if (!hash || !search.addSeal(nonce)) {
      if (this.#pauses.reasons.length === 0) engine.resume(sequence)
      return
    }
    const { hashes, seconds } = search.account.settle(this.#engines.hashesOf(sequence), foundAt, 1n)
    search.outcome = "completed"
    if (job.afterSeal === "wait") this.#idle(search)
    void this.#submit({ job, nonce, hash, hashes, seconds, unit }, foundAt)
    const age = ageOf(foundAt - search.beganAt)
    log.withTag("job").info(`${job.id} sealed by ${unit}, ${age} old, after ${grouped(hashes)} hashes`)
  }

  async #submit(seal: Seal, foundAt: number): Promise<void> {
    const { source, events, clock, log } = this.#options
    const verdict: Verdict = await source.submit(seal)
    events.seal(seal, verdict, (clock.now() - foundAt) / 1000)
    const [level, message] = describeVerdict(seal, verdict)
    log.withTag("net")[level](message)
  }

  #exhausted(engine: Engine, sequence: number): void {
    const search = this.#search
    if (!search || sequence !== search.sequence) return
    this.#unfinished.delete(engine)
    if (this.#unfinished.size > 0) return
    const { clock, log, source } = this.#options
    const { hashes, seconds } = search.account.settle(this.#engines.hashesOf(sequence), clock.now())
    if (search.job.slice?.isLast === false) search.toBeContinued = true
    else if (search.outcome === "cancelled") search.outcome = "failed"
    this.#idle(search)
    log.withTag("job").debug(`the range of ${search.job.id} is exhausted after ${grouped(hashes)} hashes`)
    source.exhausted?.(search.job, hashes, seconds)
  }

  /** Makes the engines idle; the job is kept in case it is sent again. */
  #idle(search: JobSearch): void {
    search.sequence = undefined
    search.resumes = false
    search.account.rest()
    this.#unfinished.clear()
    this.#engines.assign(null)
  }

  /** Ends the current search, if any, without another one. */
  #endSearch(why: string): void {
    const search = this.#search
    if (!search) return
    this.#cancelMaxAge()
    const wasSearched = this.#conclude(search)
    this.#search = undefined
    if (wasSearched) this.#idle(search)
    this.#reportEnd(search, wasSearched ? why : undefined)
  }

  /** Closes the account of a search. @returns whether the search was still open */
  #conclude(search: JobSearch): boolean {
    this.#cancelOldWarning()
    if (!search.isOpen) return false
    const counted = search.sequence === undefined ? 0n : this.#engines.hashesOf(search.sequence)
    search.account.settle(counted, this.#options.clock.now())
    return true
  }

  /** @param why undefined if the search had already ended and that was logged */
  #reportEnd({ job, beganAt, account, seals, outcome, toBeContinued }: JobSearch, why: string | undefined): void {
    const { clock, log, events } = this.#options
    if (why !== undefined) {
      const age = ageOf(clock.now() - beganAt)
      const counts = `${grouped(account.hashes)} hashes, ${sealsOf(seals)}`
      log.withTag("job").info(`${job.id} ended, ${why}: ${age} old, ${counts}`)
    }
    if (!toBeContinued) events.jobEnded(job, outcome)
  }

  /** Ends the search at the maximum age. A range has no maximum age. */
  #endAtMaxAge(job: Job): void {
    const { clock, maxJobAgeMs } = this.#options
    this.#cancelMaxAge()
    if (maxJobAgeMs === undefined || job.range) return
    this.#cancelMaxAge = clock.after(maxJobAgeMs, () => {
      this.#endSearch(`${job.source} has sent no newer job for ${secondsOf(maxJobAgeMs)} (--max-job-age)`)
    })
  }

  #warnWhenOld(search: JobSearch): void {
    const { clock, log } = this.#options
    if (search.job.range) return
    this.#cancelOldWarning = clock.after(search.beganAt + OLD_JOB_MS - clock.now(), () => {
      const { id, source } = search.job
      log.withTag("job").warn(`${id} is two minutes old and ${source} has sent no newer job; a node may be syncing`)
    })
  }
}

function workOf(job: Job, sequence: number): Work {
  const { header, difficulty, prefix, afterSeal } = job
  return { sequence, header, target: targetOfJob(job), difficulty, prefix, stopAtCandidate: afterSeal === "wait" }
}

/** The weight of an engine when a range is divided: its hashes so far indicate its speed. */
const hashesSoFar = ({ units }: Engine): bigint => units.reduce((sum, { hashes }) => sum + hashes, 1n)
