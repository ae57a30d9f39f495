/**
 * An engine of worker threads, for CPUs and GPUs alike. It writes the work into shared memory, reads counters and
 * candidates there, and replaces workers that die or hang.
 */
import { type Clock, sleep } from "../../clock.ts"
import { host } from "../../host/host.ts"
import type { Platform, ThreadActivity } from "../../host/platform.ts"
import { UnsupportedKernel } from "../../kernel/kernel.ts"
import type { Log } from "../../log.ts"
import { topOf } from "../../pow/target.ts"
import { integerToBytes } from "../../pow/u512.ts"
import type { NonceRange } from "../../sources/source.ts"
import { type Engine, type EngineEvents, RefusedKernel, type Unit, type Work } from "../engine.ts"
import { SALT_BYTES } from "./base-nonce.ts"
import { chunkOf } from "./range.ts"
import { createMemory } from "./shared-memory.ts"
import { sharedNow } from "./shared-now.ts"
import { type CurrentThread, ThreadUnit } from "./thread-unit.ts"
import type { EngineSlot, Progress, SharedWork } from "./views.ts"
import { WorkerThread } from "./worker-thread.ts"

/** @typeParam Task what a worker is given to search with; must survive structured cloning */
export interface ThreadEngineOptions<Task> {
  /** Names the engine and, with a number, its units: `avx2`, `cuda`. */
  readonly name: string
  readonly kind: Unit["kind"]
  /** Number of the first unit; 0 by default. */
  readonly firstUnit?: number
  /** 1 … `MAX_WORKERS`. */
  readonly workers: number
  /** A module that calls `serveOrders` with this type of task. */
  readonly entry: string | URL
  /** The first task of workers. @throws UnsupportedKernel if it cannot run here */
  readonly task: () => Task
  /** Logical CPUs for workers to take cyclically, in this order; undefined: the scheduler places them. */
  readonly affinity?: readonly number[] | undefined
  /** Moves a running worker to other CPUs; the system call by default. */
  readonly setAffinity?: Platform["setThreadAffinity"]
  /** Returns that many random bytes, different for every engine of the process. */
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  readonly patience?: Patience
  /** What a thread of this process does; the system's figures by default. */
  readonly activity?: Platform["threadActivity"]
}

/** How long an engine waits for a worker before it replaces it, and how often it does. */
export interface Patience {
  /** Milliseconds for a worker to load and test its kernel. */
  readonly startMs: number
  /** Looks without a heartbeat after which a worker counts as hung; there are four looks a second. */
  readonly maxStillLooks: number
  /** A unit whose threads fail more often than this within `failureWindowMs` is given up. */
  readonly maxFailures: number
  readonly failureWindowMs: number
}

export const MAX_WORKERS = 1024

/** Workers, and room for threads that are ending beside them. */
const SLOTS = MAX_WORKERS + 64

/** Interval between two looks at all workers. */
const LOOK_INTERVAL_MS = 250

const PATIENCE: Patience = { startMs: 30_000, maxStillLooks: 4, maxFailures: 5, failureWindowMs: 60_000 }

/** A thread that wants a CPU and received less than this share of one is starved, not hung. */
const STARVED_SHARE = 0.1

/** Interval between two lines about a starved worker. */
const STARVED_LINE_MS = 60_000

/** Time that a worker is given to leave. */
const LEAVE_MS = 500

/** Workers that load a new task at the same time; each needs memory for its self-test, which the next ones reuse. */
const RETASKED_AT_ONCE = 2

/** Candidates that are passed on before the event loop gets another turn. */
const CANDIDATES_PER_TURN = 4

export class ThreadEngine<Task> implements Engine {
  #name: string
  readonly #options: ThreadEngineOptions<Task>
  readonly #memory = createMemory(SLOTS)
  readonly #patience: Patience
  readonly #salt: Uint8Array
  readonly #free: EngineSlot[]
  #affinity: readonly number[] | undefined
  #makeTask: () => Task
  readonly #all: ThreadUnit<Task>[] = []
  #size = 0
  #work: Work | null = null
  /** Searched while no work is assigned; nothing of it is reported. */
  #rehearsal: Work | null = null
  /** Version at which a candidate of the current work was passed on. */
  #answered = 0
  #exhausted = false
  /** Chunks of the current range that former workers left unfinished and nobody has been given. */
  #left: Progress[] = []
  #draining = false
  #closed = false
  #events: EngineEvents | undefined
  #prepared: Promise<void> | undefined
  /** Settles when the last requested change of size is complete; changes run one at a time. */
  #resized: Promise<void> = Promise.resolve()
  #stopLooking = () => {}

  constructor(options: ThreadEngineOptions<Task>) {
    this.#name = options.name
    this.#makeTask = options.task
    this.#options = options
    this.#patience = options.patience ?? PATIENCE
    this.#salt = options.random(SALT_BYTES)
    this.#affinity = options.affinity
    this.#free = this.#memory.slots.toReversed()
  }

  get name(): string {
    return this.#name
  }

  /** Renames the engine and its units, whose counts start again at zero. */
  rename(name: string): void {
    if (name === this.#name) return
    this.#name = name
    for (const unit of this.#all) unit.rename(this.#idOf(unit.index))
  }

  get isClosed(): boolean {
    return this.#closed
  }

  get units(): readonly ThreadUnit<Task>[] {
    return this.#all.slice(0, this.#size)
  }

  /**
   * Starts the workers, which test their kernel and then sleep; `start` does it if it was not done before.
   * Rejects with RefusedKernel, or with the error that a worker died of; then all threads are asked to end.
   */
  prepare(): Promise<void> {
    this.#prepared ??= this.#grow(this.#options.workers).catch(async error => {
      await this.close()
      throw error
    })
    return this.#prepared
  }

  async start(events: EngineEvents): Promise<void> {
    this.#events = events
    await this.prepare()
    this.#stopLooking = this.#options.clock.every(LOOK_INTERVAL_MS, () => this.#look())
  }

  assign(work: Work | null): void {
    this.#work = work
    this.#exhausted = false
    this.#left = []
    this.#share()
    // The counts and chunks that ended threads hold for the previous work are no longer needed.
    for (const unit of this.#all) this.#free.push(...unit.settlePast())
  }

  /**
   * Lets workers search `work` while no other is assigned, in order to measure them. Its hashes count as tested; nothing
   * else of it is reported.
   */
  rehearse(work: Work | null): void {
    this.#rehearsal = work
    if (!this.#work && !this.#closed) this.#share()
  }

  #share(): void {
    const work = this.#work ?? this.#rehearsal
    this.#memory.assign(work && shared(work))
  }

  hold(sequence: number): void {
    if (this.#work?.sequence !== sequence) return
    this.#memory.claim()
    // A candidate that is still to come was lost with its thread or is passed on: either way, only `resume` reopens.
    this.#answered = this.#memory.version
  }

  resume(sequence: number): void {
    this.#drain()
    if (this.#work?.sequence === sequence && this.#memory.claimed) this.#memory.reopen()
  }

  hashesOf(sequence: number): bigint {
    if (this.#work?.sequence !== sequence) return 0n
    return this.#slots().reduce((sum, slot) => sum + slot.hashesOf(sequence), 0n)
  }

  /**
   * If a worker cannot be added, logs a warning and keeps those that run. Does nothing if the engine has failed to start,
   * which `start` reports. @param units 1 … `MAX_WORKERS`
   */
  async resize(units: number): Promise<void> {
    if (!Number.isInteger(units) || units < 1 || units > MAX_WORKERS) {
      throw new RangeError(`workers: expected 1 … ${MAX_WORKERS}, got ${units}`)
    }
    const hasStarted = await this.prepare().then(
      () => true,
      () => false,
    )
    if (!hasStarted || this.#closed) return
    this.#resized = this.#resized
      .then(() => (units >= this.#size ? this.#grow(units) : this.#shrink(units)))
      .catch((error: Error) => {
        if (!this.#closed) this.#options.log.warn(`${this.#size} workers run instead of ${units}: ${error.message}`)
      })
    return this.#resized
  }

  /**
   * Gives every worker another task, one change at a time; the current work is searched again as soon as each is ready.
   * Rejects with RefusedKernel if the task cannot run here, after which the workers may wait for another task; with another
   * error if a worker died or was late, which is replaced.
   */
  retask(task: () => Task): Promise<void> {
    const changed = this.#resized.then(() => this.#retaskAll(task))
    this.#resized = changed.catch(() => {})
    return changed
  }

  /**
   * Moves all workers, including those that run, to other CPUs; the work continues.
   * @param affinity as in the options
   * @param allowed CPUs for workers whose affinity is lifted
   */
  moveWorkers(affinity: readonly number[] | undefined, allowed: readonly number[]): void {
    this.#affinity = affinity
    for (const unit of this.#all) {
      unit.cpu = this.#cpuOf(unit)
      this.#move(unit, unit.cpu === undefined ? allowed : [unit.cpu])
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopLooking()
    this.#memory.assign(null)
    const ends = this.#all.map(unit => this.#retire(unit))
    await Promise.all(ends)
  }

  /** Adds units up to `size` while the work continues. Rejects if one cannot start; that one and later ones are removed. */
  async #grow(size: number): Promise<void> {
    const added = Array.from({ length: size - this.#size }, (_, i) => this.#unit(this.#size + i))
    this.#size = size
    const started = await Promise.allSettled(added.map(unit => this.#spawn(unit)))
    const failed = started.find(result => result.status === "rejected")
    if (!failed) return
    const running = added.findIndex(unit => !unit.current?.ready)
    this.#size = Math.min(this.#size, added[Math.max(0, running)]!.index)
    for (const unit of this.#all.slice(this.#size)) void this.#retire(unit)
    throw failed.reason
  }

  #shrink(size: number): void {
    const removed = this.units.slice(size)
    this.#size = size
    for (const unit of removed) void this.#retire(unit)
  }

  #idOf(index: number): string {
    const { firstUnit = 0 } = this.#options
    return `${this.#name}/${firstUnit + index}`
  }

  #unit(index: number): ThreadUnit<Task> {
    const { kind } = this.#options
    const unit = (this.#all[index] ??= new ThreadUnit<Task>(this.#idOf(index), kind, index, () => this.#searching))
    unit.cpu = this.#cpuOf(unit)
    return unit
  }

  #cpuOf({ index }: ThreadUnit<Task>): number | undefined {
    return this.#affinity?.[index % this.#affinity.length]
  }

  #move({ id, current }: ThreadUnit<Task>, cpus: readonly number[]): void {
    const { setAffinity = host.setThreadAffinity, log } = this.#options
    if (current?.threadId === undefined) return
    if (!setAffinity(cpus, current.threadId)) log.warn(`${id} could not be moved to CPU ${cpus.join()}`)
  }

  /** Sequence that workers search now; 0: none. */
  get #searching(): number {
    return this.#work && !this.#memory.claimed && !this.#exhausted ? this.#work.sequence : 0
  }

  #slots(): EngineSlot[] {
    return this.#all.flatMap(unit => unit.slots)
  }

  /** Gives the unit a thread. Rejects if the thread does not start; then it is asked to end. */
  async #spawn(unit: ThreadUnit<Task>): Promise<void> {
    const task = this.#refusing(this.#makeTask)
    const thread = new WorkerThread<Task>(this.#options.entry, {
      notified: () => this.#lookAtSlots(),
      progressed: what => this.#options.log.info(`${unit.id}: ${what}`),
      died: why => this.#replace(unit, why),
    })
    const slot = this.#free.pop()
    if (!slot) {
      thread.end()
      throw new Error("shared memory has no slot for another worker")
    }
    slot.reset()
    const current: CurrentThread<Task> = { thread, slot, ready: false, isObserved: false, answered: Promise.resolve() }
    unit.current = current
    try {
      await this.#order(unit, current, task)
    } catch (error) {
      if (unit.current === current) void this.#retire(unit)
      throw error
    }
  }

  /** Orders a thread to search with a task. Settles when it is ready; rejects as `WorkerThread.order`, and if it is late. */
  async #order(unit: ThreadUnit<Task>, current: CurrentThread<Task>, task: Task): Promise<void> {
    const { clock, log } = this.#options
    const { cpu } = unit
    const answer = current.thread.order({
      buffer: this.#memory.buffer,
      slot: current.slot.index,
      salt: this.#salt,
      cpu,
      task,
    })
    current.answered = answer.then(
      () => {},
      () => {},
    )
    const late = Promise.withResolvers<never>()
    const cancel = clock.after(this.#patience.startMs, () =>
      late.reject(new Error(`did not start within ${this.#patience.startMs / 1000} s`)),
    )
    try {
      const { isPlaced, threadId } = await Promise.race([answer, late.promise])
      current.ready = true
      current.threadId = threadId
      current.isObserved = this.activityOf(unit) !== undefined
      unit.still = 0
      if (unit.cpu !== cpu && unit.cpu !== undefined) this.#move(unit, [unit.cpu])
      else if (!isPlaced) log.warn(`${unit.id} could not be bound to CPU ${cpu}: the scheduler places it`)
    } finally {
      cancel()
    }
  }

  /** Gives every worker a new task. Rejects with the error of one that could not take it. */
  async #retaskAll(makeTask: () => Task): Promise<void> {
    if (this.#closed) throw new Error("the engine is closed")
    const task = this.#refusing(makeTask)
    this.#makeTask = makeTask
    const { units } = this
    for (let first = 0; first < units.length; first += RETASKED_AT_ONCE) {
      const group = units.slice(first, first + RETASKED_AT_ONCE)
      const outcomes = await Promise.allSettled(group.map(unit => this.#retask(unit, task)))
      const failed = outcomes.find(outcome => outcome.status === "rejected")
      if (failed) throw failed.reason
    }
  }

  async #retask(unit: ThreadUnit<Task>, task: Task): Promise<void> {
    const { current } = unit
    // A thread that is replaced meanwhile starts with the new task.
    await current?.answered
    if (!current || unit.current !== current) return
    current.ready = false
    current.slot.recall()
    try {
      await this.#order(unit, current, task)
    } catch (error) {
      // A thread that was replaced meanwhile is not the task's fault; its replacement starts with the task.
      if (unit.current !== current) return void (await unit.current?.answered)
      if (!(error instanceof RefusedKernel)) this.#replace(unit, String(error))
      throw error
    }
  }

  /** @throws RefusedKernel if the task cannot run here */
  #refusing(makeTask: () => Task): Task {
    try {
      return makeTask()
    } catch (error) {
      throw error instanceof UnsupportedKernel ? new RefusedKernel(error.message, true) : error
    }
  }

  /**
   * Removes the unit's thread and asks it to end. Settles when it has ended or `LEAVE_MS` have passed; a thread that
   * hangs ends when it continues, or with the process. Threads are never terminated: `terminate` blocks the main thread
   * for as long as the thread hangs in a system call.
   */
  async #retire(unit: ThreadUnit<Task>): Promise<void> {
    const { current } = unit
    if (!current) return
    unit.current = undefined
    const former = { slot: current.slot, gone: false }
    unit.former.push(former)
    const gone = current.thread.gone.then(() => {
      former.gone = true
      this.#reopenUnanswered()
      this.#checkExhausted()
    })
    current.slot.leave()
    current.thread.end()
    const { clock } = this.#options
    const settled = new AbortController()
    void gone.then(() => settled.abort())
    await sleep(clock, LEAVE_MS, settled.signal)
  }

  /** A thread may have claimed the end of the search and died before it showed its candidate: the search continues. */
  #reopenUnanswered(): void {
    this.#drain()
    if (this.#work && !this.#closed && this.#memory.claimed && this.#answered !== this.#memory.version)
      this.#memory.reopen()
  }

  /** Replaces a unit's thread that has died or hangs. */
  #replace(unit: ThreadUnit<Task>, why: string): void {
    if (this.#closed || unit.index >= this.#size) return
    void this.#retire(unit)
    this.#reopenUnanswered()
    this.#events?.restarted(unit.id, why)
    this.#revive(unit, why)
  }

  #revive(unit: ThreadUnit<Task>, why: string): void {
    const now = this.#options.clock.now()
    unit.failures = [...unit.failures.filter(at => now - at < this.#patience.failureWindowMs), now]
    if (unit.failures.length > this.#patience.maxFailures) this.#giveUp(unit, why)
    else this.#spawn(unit).catch((error: Error) => this.#reviveAgain(unit, error.message))
  }

  #reviveAgain(unit: ThreadUnit<Task>, why: string): void {
    if (!this.#closed && unit.index < this.#size) this.#revive(unit, why)
  }

  #giveUp(unit: ThreadUnit<Task>, why: string): void {
    this.#options.log.error(`${unit.id} failed repeatedly and was given up: ${why}`)
    if (this.units.every(({ current }) => current === undefined)) this.#events?.failed(why)
    this.#checkExhausted()
  }

  /** Looks at all workers, in case a notification is late or a thread sends none any more. */
  #look(): void {
    const { maxStillLooks } = this.#patience
    const seconds = (LOOK_INTERVAL_MS * maxStillLooks) / 1000
    for (const unit of this.units) {
      unit.still = this.#isStill(unit) ? unit.still + 1 : 0
      if (unit.still === 1) unit.stillCpuMs = this.activityOf(unit)?.cpuMs
      if (unit.still < maxStillLooks) continue
      if (this.#isStarved(unit)) this.#reportStarved(unit, seconds)
      else this.#replace(unit, `it made no progress for ${seconds} s`)
    }
    this.#lookAtSlots()
  }

  /** A thread that loads another task has no heartbeat: it counts as still if it was stopped or has ended. */
  #isStill(unit: ThreadUnit<Task>): boolean {
    const { current } = unit
    if (!current) return false
    if (!current.ready) return current.isObserved && (this.activityOf(unit)?.state ?? "stopped") === "stopped"
    const { heartbeat } = current.slot
    const isStill = heartbeat === unit.heartbeat
    unit.heartbeat = heartbeat
    return isStill
  }

  /** What the unit's thread does; undefined if it has ended, has never been ready, or the system does not report it. */
  protected activityOf({ current }: ThreadUnit<Task>): ThreadActivity | undefined {
    const { activity = host.threadActivity } = this.#options
    return current?.threadId === undefined ? undefined : activity(current.threadId)
  }

  /** A thread that waits for a CPU is not at fault: a replacement would wait as well. */
  #isStarved(unit: ThreadUnit<Task>): boolean {
    const now = this.activityOf(unit)
    if (now?.state !== "runnable" || unit.stillCpuMs === undefined) return false
    return now.cpuMs - unit.stillCpuMs < STARVED_SHARE * LOOK_INTERVAL_MS * (unit.still - 1)
  }

  #reportStarved(unit: ThreadUnit<Task>, seconds: number): void {
    unit.still = 0
    const now = this.#options.clock.now()
    if (now - unit.starvedAt < STARVED_LINE_MS) return
    unit.starvedAt = now
    this.#options.log.warn(
      `${unit.id} is starved: other programs left it less than ${100 * STARVED_SHARE} % of a CPU for ${seconds} s`,
    )
  }

  #lookAtSlots(): void {
    for (const unit of this.units) {
      const { slot } = unit.current ?? {}
      if (!slot || slot.sequence === unit.reported || slot.sequence !== this.#work?.sequence) continue
      unit.reported = slot.sequence
      this.#events?.switched(unit.id, unit.reported, slot.switchMs / 1000)
    }
    this.#drain()
    this.#checkExhausted()
  }

  /** Passes on candidates from the rings, oldest first, a few per turn. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    let left = CANDIDATES_PER_TURN
    for (const unit of this.#all) {
      for (const slot of unit.slots) {
        for (let found = slot.peek(); found && left > 0; found = slot.peek()) {
          slot.drop()
          if (found.sequence !== this.#work?.sequence || this.#closed) continue
          left -= 1
          this.#answered = this.#memory.version
          this.#events?.candidate({ ...found, unit: unit.id })
        }
      }
    }
    this.#draining = false
    if (left === 0) setImmediate(() => this.#lookAtSlots())
  }

  /**
   * Once all workers have drained the range: hands out the chunks that former workers left unfinished; if there are none,
   * the range is exhausted.
   */
  #checkExhausted(): void {
    const work = this.#work
    if (!work?.range || this.#exhausted || this.#closed || this.#memory.claimed) return
    const { version } = this.#memory
    const drained = this.units.flatMap(({ current }) => (current ? [current.slot] : []))
    if (drained.length === 0 || drained.some(slot => slot.drainedAt !== version)) return
    if (this.#slots().some(slot => slot.peek())) return
    this.#reclaim(work.sequence, work.range)
    if (this.#left.length > 0) {
      this.#left = this.#left.filter((chunk, i) => !drained[i]?.give(chunk))
      this.#memory.reopen()
    } else {
      this.#exhausted = true
      this.#events?.exhausted(work.sequence)
    }
  }

  /** Takes the unfinished chunks of former workers. */
  #reclaim(sequence: number, range: NonceRange): void {
    for (const unit of this.#all) {
      for (const { slot } of unit.former) {
        const left = this.#memory.reclaim(slot, sequence, chunk => chunkOf(range, chunk))
        if (left) this.#left.push(left)
      }
    }
  }
}

function shared(work: Work): SharedWork {
  return {
    sequence: work.sequence,
    assignedAt: sharedNow(),
    perHash: 1 / Number(work.difficulty),
    top: topOf(work.target),
    header: work.header,
    prefix: work.prefix,
    range: work.range && { first: integerToBytes(work.range.first), last: integerToBytes(work.range.last) },
    stopAtCandidate: work.stopAtCandidate,
  }
}
