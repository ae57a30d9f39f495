/**
 * The one loop: takes jobs from a source, has the engines search them, lets the reference judge what they find, and
 * hands the source what it confirms.
 */
import type { Clock } from "../clock.ts"
import type { Candidate, Engine, EngineEvents, Work } from "../engines/engine.ts"
import { nextSequence } from "../engines/sequence.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import type { StatsSink } from "../observe/stats.ts"
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
import { ageOf, describeVerdict, difficultyOf, grouped, sealsOf, secondsOf } from "./phrases.ts"
import { isNearMiss, isNonceOf, Search } from "./search.ts"
import { splitRange } from "./split-range.ts"

export interface MinerOptions {
  /** Several sources behind a failover look like one. */
  readonly source: JobSource
  /** One or more; started by the miner. */
  readonly engines: readonly Engine[]
  readonly stats: StatsSink
  readonly clock: Clock
  readonly log: Log
  /** Another engine for one that cannot hash (any more), not started; undefined where there is none. */
  readonly replaceEngine?: (failed: Engine) => Promise<Engine | undefined>
}

/** A job that is searched for longer is warned about: a node that is syncing sends no other, and nothing cancels it. */
const OLD_AFTER = 120_000

export class Miner {
  readonly #options: MinerOptions
  /** Engines that have started and can hash. */
  readonly #live: Engine[] = []
  /** Engines that are starting, or live. */
  readonly #all = new Set<Engine>()
  #search: Search | undefined
  /** Live engines that have not searched all of their part of the range yet. */
  #unfinished = new Set<Engine>()
  #cancelOldWarning = () => {}
  #hashing = false
  readonly #ended = Promise.withResolvers<void>()
  #running = false

  constructor(options: MinerOptions) {
    this.#options = options
  }

  /** Engines that exist at this moment, for those who read their units. */
  get engines(): readonly Engine[] {
    return [...this.#all]
  }

  /**
   * Mines until `signal` is aborted, then ends everything within two seconds.
   * Rejects with an OperatorError when the source gives up, or when no engine is left that can hash.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { source, engines } = this.#options
    const { promise, resolve } = this.#ended
    this.#running = true
    signal.addEventListener("abort", () => resolve(), { once: true })
    if (signal.aborted) resolve()
    for (const engine of engines) void this.#start(engine)
    source.start(this.#sourceEvents())
    try {
      await promise
    } finally {
      await this.#close()
    }
  }

  async #close(): Promise<void> {
    this.#running = false
    this.#endSearch("the miner stops")
    await Promise.all([this.#options.source.close(), ...this.engines.map(engine => engine.close())])
  }

  async #start(engine: Engine): Promise<void> {
    this.#all.add(engine)
    try {
      await engine.start(this.#engineEvents(engine))
    } catch (error) {
      return this.#lose(engine, error instanceof Error ? error.message : String(error))
    }
    if (!this.#running) return
    this.#live.push(engine)
    const search = this.#search
    if (!search || search.sequence === 0) return
    if (!search.job.range) engine.assign(this.#workOf(search))
    // Where others are searching a range already it is divided, and this engine waits for the next.
    else if (this.#unfinished.size === 0) this.#begin(search)
  }

  /** Ends an engine that cannot hash, and starts the next best one in its place. */
  async #lose(engine: Engine, why: string): Promise<void> {
    const { log, replaceEngine } = this.#options
    if (!this.#running || !this.#all.delete(engine)) return
    const hashed = this.#live.includes(engine)
    if (hashed) {
      // What it has counted since the last seal still belongs to the next one.
      if (this.#search) this.#search.counted -= engine.hashesOf(this.#search.sequence)
      this.#live.splice(this.#live.indexOf(engine), 1)
    }
    log.warn(`the engine ${engine.name} cannot be used: ${why}`)
    await engine.close()
    const next = await replaceEngine?.(engine)
    if (!this.#running) return void next?.close()
    if (next) {
      log.warn(`the engine ${next.name} is used in place of ${engine.name}`)
      void this.#start(next)
    } else if (this.#all.size === 0) {
      const exitCode = hashed ? ExitCode.lost : ExitCode.selfTest
      this.#ended.reject(new OperatorError(`no engine is left that can hash: ${why}`, exitCode))
      return
    }
    if (this.#search?.job.range && this.#search.sequence !== 0) this.#begin(this.#search)
  }

  #sourceEvents(): SourceEvents {
    const { stats, log } = this.#options
    const net = log.withTag("net")
    return {
      connected: source => {
        net.success(`connected to ${source}`)
        stats.connected(source)
      },
      disconnected: (reason: DisconnectReason, message: string, retryIn: number, source: string) => {
        if (Number.isFinite(retryIn)) net.warn(`${source}: ${message}; next attempt in ${secondsOf(retryIn)}`)
        else net.info(`${source}: ${message}`)
        stats.disconnected(reason, message, retryIn, source)
      },
      job: job => this.#take(job),
      noJob: () => this.#endSearch("its source has withdrawn it"),
      failed: error => this.#ended.reject(error),
    }
  }

  #engineEvents(engine: Engine): EngineEvents {
    const { stats, log } = this.#options
    return {
      candidate: candidate => this.#judge(engine, candidate),
      exhausted: sequence => this.#exhausted(engine, sequence),
      switched: (unit, sequence, seconds) => {
        if (!this.#hashing) log.debug(`first hash by ${unit}, ${(1000 * seconds).toFixed(1)} ms after its job came`)
        this.#hashing = true
        stats.switched(unit, sequence, seconds)
      },
      restarted: (unit, why) => {
        log.warn(`${unit} was replaced: ${why}`)
        stats.restarted(unit, why)
      },
      failed: why => void this.#lose(engine, why),
    }
  }

  #take(job: Job): void {
    if (!this.#running) return
    const before = this.#search
    if (before?.isOf(job)) {
      before.job = job
      if (before.sequence === 0) this.#begin(before)
      return
    }
    const wasSearched = before !== undefined && this.#conclude(before)
    const search = new Search(job)
    this.#search = search
    // First the engines, then the words.
    this.#begin(search)
    if (before) this.#tellEnd(before, wasSearched ? "it was replaced" : undefined, job)
    this.#options.stats.job(job)
    const level = before && isNextSlice(before.job, job) ? "debug" : "info"
    this.#options.log.withTag("job")[level](`${job.id} of ${job.source}, difficulty ${difficultyOf(job)}`)
    this.#warnWhenOld(search)
  }

  /** Has all engines search the job from now on, under a new sequence. */
  #begin(search: Search): void {
    if (search.sequence !== 0) search.counted -= this.#hashesOf(search.sequence)
    search.sequence = nextSequence()
    const { range } = search.job
    if (!range) {
      const work = this.#workOf(search)
      for (const engine of this.#live) engine.assign(work)
      return
    }
    const parts = splitRange(range, this.#live.map(hashesSoFar))
    this.#unfinished = new Set(this.#live.filter((_, i) => parts[i]))
    this.#live.forEach((engine, i) => {
      engine.assign(parts[i] ? { ...this.#workOf(search), range: parts[i] } : null)
    })
  }

  #workOf({ job, sequence }: Search): Work {
    const { header, difficulty, prefix, afterSeal } = job
    return {
      sequence,
      header,
      target: targetOfJob(job),
      difficulty,
      prefix,
      stopAtCandidate: afterSeal === "wait",
    }
  }

  #judge(engine: Engine, { sequence, nonce, unit }: Candidate): void {
    const { clock, log, stats } = this.#options
    const search = this.#search
    if (!search || sequence !== search.sequence) return
    const foundAt = clock.now()
    const { job } = search
    const target = targetOfJob(job)
    const hash = isNonceOf(job, nonce) ? verifySeal(job.header, nonce, target) : undefined
    if (!hash && !(isNonceOf(job, nonce) && isNearMiss(nonceHash(job.header, nonce), target))) {
      stats.mismatch(unit)
      log.error(`${unit} reported the nonce ${nonce.toHex()}, which is no seal of job ${job.id}: it was not sent`)
    }
    if (!hash || !search.addSeal(nonce)) {
      engine.resume(sequence)
      return
    }
    const { hashes, seconds } = search.settle(this.#hashesOf(sequence), foundAt, 1n)
    search.outcome = "completed"
    if (job.afterSeal === "wait") this.#idle(search)
    void this.#submit({ job, nonce, hash, hashes, seconds, unit }, foundAt)
    const age = ageOf(foundAt - search.beganAt)
    log.withTag("job").info(`${job.id} sealed by ${unit}, ${age} old, after ${grouped(hashes)} hashes`)
  }

  async #submit(seal: Seal, foundAt: number): Promise<void> {
    const { source, stats, clock, log } = this.#options
    const verdict: Verdict = await source.submit(seal)
    stats.seal(seal, verdict, (clock.now() - foundAt) / 1000)
    const [level, message] = describeVerdict(seal, verdict)
    log.withTag("net")[level](message)
  }

  #exhausted(engine: Engine, sequence: number): void {
    const search = this.#search
    if (!search || sequence !== search.sequence) return
    this.#unfinished.delete(engine)
    if (this.#unfinished.size > 0) return
    const { clock, log, source } = this.#options
    const { hashes, seconds } = search.settle(this.#hashesOf(sequence), clock.now())
    if (search.outcome === "cancelled") search.outcome = "failed"
    this.#idle(search)
    log.withTag("job").debug(`the range of ${search.job.id} is exhausted after ${grouped(hashes)} hashes`)
    source.exhausted?.(search.job, hashes, seconds)
  }

  /** Nonces counted for a work, by all engines. */
  #hashesOf(sequence: number): bigint {
    return this.#live.reduce((sum, engine) => sum + engine.hashesOf(sequence), 0n)
  }

  /** Lets the engines rest; the job stays, in case it comes again. */
  #idle(search: Search): void {
    search.sequence = 0
    search.counted = 0n
    this.#unfinished.clear()
    for (const engine of this.#live) engine.assign(null)
  }

  /** Ends the current search, if any, without another one. */
  #endSearch(why: string): void {
    const search = this.#search
    if (!search) return
    const wasSearched = this.#conclude(search)
    this.#search = undefined
    if (wasSearched) this.#idle(search)
    this.#tellEnd(search, wasSearched ? why : undefined)
  }

  /** Closes the account of a search. @returns whether engines were at it */
  #conclude(search: Search): boolean {
    this.#cancelOldWarning()
    if (search.sequence === 0) return false
    search.settle(this.#hashesOf(search.sequence), this.#options.clock.now())
    return true
  }

  /**
   * @param why undefined where the search had ended before, and that was told
   * @param next the job in its place
   */
  #tellEnd({ job, beganAt, hashes, seals, outcome }: Search, why: string | undefined, next?: Job): void {
    const { clock, log, stats } = this.#options
    if (why !== undefined) {
      const age = ageOf(clock.now() - beganAt)
      log.withTag("job").info(`${job.id} ended, ${why}: ${age} old, ${grouped(hashes)} hashes, ${sealsOf(seals)}`)
    }
    if (!next || !isNextSlice(job, next)) stats.jobEnded(job, outcome)
  }

  #warnWhenOld(search: Search): void {
    const { clock, log } = this.#options
    if (search.job.range) return
    this.#cancelOldWarning = clock.after(search.beganAt + OLD_AFTER - clock.now(), () => {
      log
        .withTag("job")
        .warn(`${search.job.id} is two minutes old and ${search.job.source} has sent no other (a node may be syncing)`)
    })
  }
}

/** Slices of one range come as jobs of the same name. */
const isNextSlice = (before: Job, next: Job): boolean =>
  next.range !== undefined && next.id === before.id && next.source === before.source

/** How much an engine gets of a range: what it has done so far says how fast it is. */
const hashesSoFar = ({ units }: Engine): bigint => units.reduce((sum, { hashes }) => sum + hashes, 1n)
