/**
 * Worker threads that run one kernel. The engine writes the work into shared memory, reads counters and candidates
 * there, and sees to it that every unit has a worker that lives.
 */
import { type Clock, sleep } from "../../clock.ts"
import { setThreadAffinity } from "../../host/affinity.ts"
import { UnsupportedKernel } from "../../kernel/kernel.ts"
import type { Log } from "../../log.ts"
import { topOf } from "../../pow/target.ts"
import { integerToBytes } from "../../pow/u512.ts"
import { workerEntry } from "../../worker-entry.ts"
import type { Engine, EngineEvents, Unit, Work } from "../engine.ts"
import { SALT_BYTES } from "./base-nonce.ts"
import { CpuUnit } from "./cpu-unit.ts"
import { renderedKernel } from "./kernels.ts"
import { chunkOf } from "./range.ts"
import { SharedMemory, type SharedWork, type Slot, sharedNow } from "./shared-memory.ts"
import { RefusedKernel, WorkerThread } from "./worker-thread.ts"

export interface CpuEngineOptions {
  /** A name in the table of kernels. */
  readonly kernel: string
  /** 1 or more. */
  readonly workers: number
  /** The logical CPUs that workers are pinned to, in this order and over again; undefined: none is pinned. */
  readonly affinity?: readonly number[] | undefined
  /** Pins a worker that runs to other CPUs; the system's call where it is not given. */
  readonly setAffinity?: typeof setThreadAffinity
  /** Gives so many random bytes; never the same ones to two engines of a process. */
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  /** A module that calls `serveWorker`, in place of the miner's own. */
  readonly entry?: string | URL
  /** What the units are; CPU workers where it is not given. */
  readonly kind?: Unit["kind"]
  /** The number of the first unit, of which others count up; 0 where it is not given. */
  readonly firstUnit?: number
  /**
   * What a worker is told beside its order, which structured cloning takes; the kernel's rendering where it is not given.
   * @throws UnsupportedKernel where the kernel cannot run here
   */
  readonly brief?: () => unknown
  readonly patience?: Patience
}

/** How long the engine waits for a worker before it takes another one, and how often. */
export interface Patience {
  /** Milliseconds that a worker may take to make and prove its kernel. */
  readonly startWithin: number
  /** A worker without a heartbeat at so many looks is hung; there are four looks a second. */
  readonly stillLooks: number
  /** A unit whose threads fail more often than this within `failuresWithin` milliseconds is given up. */
  readonly mostFailures: number
  readonly failuresWithin: number
}

/** Workers an engine can have, and threads that may be ending beside them. */
const MOST_WORKERS = 1024
const SLOTS = MOST_WORKERS + 64

/** How often the engine looks at its workers, in milliseconds. */
const LOOK_EVERY = 250

const PATIENCE: Patience = { startWithin: 30_000, stillLooks: 4, mostFailures: 5, failuresWithin: 60_000 }

/** Milliseconds that are waited for a worker to leave. */
const LEAVE_WITHIN = 500

/** Candidates handed on before the event loop gets another turn. */
const CANDIDATES_A_TURN = 4

export class CpuEngine implements Engine {
  readonly name: string
  readonly #options: CpuEngineOptions
  readonly #memory = SharedMemory.create(SLOTS)
  readonly #patience: Patience
  readonly #salt: Uint8Array
  readonly #free: Slot[]
  #affinity: readonly number[] | undefined
  readonly #all: CpuUnit[] = []
  #size = 0
  #work: Work | null = null
  /** The version at which a candidate of the current work was handed on. */
  #answered = 0
  #exhausted = false
  #draining = false
  #closed = false
  #events: EngineEvents | undefined
  #prepared: Promise<void> | undefined
  /** Settles when the last change of size that was asked for is done: one at a time. */
  #resized: Promise<void> = Promise.resolve()
  #stopLooking = () => {}

  constructor(options: CpuEngineOptions) {
    this.name = options.kernel
    this.#options = options
    this.#patience = options.patience ?? PATIENCE
    this.#salt = options.random(SALT_BYTES)
    this.#affinity = options.affinity
    this.#free = this.#memory.slots.toReversed()
  }

  get units(): readonly CpuUnit[] {
    return this.#all.slice(0, this.#size)
  }

  /**
   * Starts the workers, which prove their kernel and then sleep; `start` does it where it was not done before.
   * Rejects with RefusedKernel, or with the error that a worker died of; all threads are asked to end then.
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
    this.#stopLooking = this.#options.clock.every(LOOK_EVERY, () => this.#look())
  }

  assign(work: Work | null): void {
    this.#work = work
    this.#exhausted = false
    this.#memory.assign(work && shared(work))
    // Nobody asks any more what threads that have ended counted for the work before, or left of its range.
    for (const unit of this.#all) this.#free.push(...unit.settlePast())
  }

  resume(sequence: number): void {
    if (this.#work?.sequence === sequence && this.#memory.claimed) this.#memory.reopen()
  }

  hashesOf(sequence: number): bigint {
    if (this.#work?.sequence !== sequence) return 0n
    return this.#slots().reduce((sum, slot) => sum + slot.hashesOf(sequence), 0n)
  }

  /** Where workers cannot be added, that is told and there are as many as could be. */
  async resize(units: number): Promise<void> {
    if (!Number.isInteger(units) || units < 1 || units > MOST_WORKERS) {
      throw new RangeError(`workers: expected 1 … ${MOST_WORKERS}, got ${units}`)
    }
    await this.prepare()
    this.#resized = this.#resized
      .then(() => (units >= this.#size ? this.#grow(units) : this.#shrink(units)))
      .catch((error: Error) => {
        if (!this.#closed) this.#options.log.warn(`there are ${this.#size} workers and not ${units}: ${error.message}`)
      })
    return this.#resized
  }

  /**
   * Pins the workers anew, also those that run; the work goes on.
   * @param affinity as in the options
   * @param allowed where a worker may run that is not pinned any more
   */
  repin(affinity: readonly number[] | undefined, allowed: readonly number[]): void {
    this.#affinity = affinity
    for (const unit of this.#all) {
      unit.cpu = this.#cpuOf(unit)
      this.#pin(unit, unit.cpu === undefined ? allowed : [unit.cpu])
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopLooking()
    this.#memory.assign(null)
    const ends = this.#all.map(unit => this.#retire(unit))
    await Promise.all(ends)
  }

  /** Adds units until there are so many; the work goes on meanwhile. Rejects where one cannot start; it is not there then. */
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

  #unit(index: number): CpuUnit {
    const { kind = "cpu", firstUnit = 0 } = this.#options
    const unit = (this.#all[index] ??= new CpuUnit(
      `${this.name}/${firstUnit + index}`,
      kind,
      index,
      () => this.#searching,
    ))
    unit.cpu = this.#cpuOf(unit)
    return unit
  }

  #cpuOf({ index }: CpuUnit): number | undefined {
    return this.#affinity?.[index % this.#affinity.length]
  }

  #pin({ id, current }: CpuUnit, cpus: readonly number[]): void {
    const { setAffinity = setThreadAffinity, log } = this.#options
    if (current?.number === undefined) return
    if (!setAffinity(cpus, current.number)) log.warn(`${id} could not be moved to CPU ${cpus.join()}`)
  }

  /** The sequence that workers search now. */
  get #searching(): number {
    return this.#work && !this.#memory.claimed && !this.#exhausted ? this.#work.sequence : 0
  }

  #slots(): Slot[] {
    return this.#all.flatMap(unit => unit.slots)
  }

  /** Gives the unit a thread. Rejects when it does not come up; the thread is asked to end then. */
  async #spawn(unit: CpuUnit): Promise<void> {
    const { kernel, clock, entry = workerEntry("engines/cpu"), log } = this.#options
    const brief = this.#brief()
    const slot = this.#free.pop()
    if (!slot) throw new Error("no room in shared memory for another worker")
    slot.reset()
    const thread = new WorkerThread(
      entry,
      {
        buffer: this.#memory.buffer,
        slot: slot.index,
        kernel,
        salt: this.#salt,
        cpu: unit.cpu,
        brief,
      },
      {
        ring: () => this.#lookAtSlots(),
        died: why => this.#replace(unit, why),
      },
    )
    const { cpu } = unit
    const current: NonNullable<CpuUnit["current"]> = { thread, slot, ready: false }
    unit.current = current
    unit.still = 0
    const late = Promise.withResolvers<never>()
    const cancel = clock.after(this.#patience.startWithin, () =>
      late.reject(new Error(`it did not start within ${this.#patience.startWithin / 1000} s`)),
    )
    try {
      const { pinned, thread: number } = await Promise.race([thread.ready, late.promise])
      current.ready = true
      current.number = number
      if (unit.cpu !== cpu && unit.cpu !== undefined) this.#pin(unit, [unit.cpu])
      else if (!pinned) log.warn(`${unit.id} could not be pinned to CPU ${cpu}: it runs wherever the scheduler puts it`)
    } catch (error) {
      if (unit.current === current) void this.#retire(unit)
      throw error
    } finally {
      cancel()
    }
  }

  #brief(): unknown {
    const { kernel, brief = () => renderedKernel(kernel) } = this.#options
    try {
      return brief()
    } catch (error) {
      throw error instanceof UnsupportedKernel ? new RefusedKernel(error.message, true) : error
    }
  }

  /**
   * Takes the unit's thread from it and sees it off. Settles when it has ended, or has not in time: then it ends when it
   * gets on, or with the process. It is never ended by force: `terminate` waits for a thread that hangs in the system,
   * and the main thread with it.
   */
  async #retire(unit: CpuUnit): Promise<void> {
    const { current } = unit
    if (!current) return
    unit.current = undefined
    const former = { slot: current.slot, gone: false }
    unit.former.push(former)
    const gone = current.thread.gone.then(() => {
      former.gone = true
      this.#reopenUnanswered()
      this.#wakeHeirs(current.slot)
    })
    current.thread.expectEnd()
    current.slot.leave()
    this.#wakeHeirs(current.slot)
    const { clock } = this.#options
    const settled = new AbortController()
    void gone.then(() => settled.abort())
    await sleep(clock, LEAVE_WITHIN, settled.signal)
  }

  /** A thread may have ended the search and itself before its candidate could be seen: the search goes on without it. */
  #reopenUnanswered(): void {
    this.#drain()
    if (this.#work && !this.#closed && this.#memory.claimed && this.#answered !== this.#memory.version)
      this.#memory.reopen()
  }

  /** Lets others end the chunk of a range that a worker left unfinished. */
  #wakeHeirs(slot: Slot): void {
    if (!this.#closed && this.#leftOf(slot) && !this.#memory.claimed) this.#memory.reopen()
  }

  /** Whether a slot holds a chunk of the current range that is not done. */
  #leftOf(slot: Slot): boolean {
    const { range, sequence } = this.#work ?? {}
    const progress = range && slot.progress(sequence!)
    return progress !== undefined && progress.offset < chunkOf(range!, progress.chunk)!.end
  }

  /** A unit's thread has died or hangs: another one takes its place. */
  #replace(unit: CpuUnit, why: string): void {
    if (this.#closed || unit.index >= this.#size) return
    void this.#retire(unit)
    this.#reopenUnanswered()
    unit.restarts += 1
    this.#events?.restarted(unit.id, why)
    this.#revive(unit, why)
  }

  #revive(unit: CpuUnit, why: string): void {
    const now = this.#options.clock.now()
    unit.failures = [...unit.failures.filter(at => now - at < this.#patience.failuresWithin), now]
    if (unit.failures.length > this.#patience.mostFailures) this.#giveUp(unit, why)
    else this.#spawn(unit).catch((error: Error) => this.#reviveAgain(unit, error.message))
  }

  #reviveAgain(unit: CpuUnit, why: string): void {
    if (!this.#closed && unit.index < this.#size) this.#revive(unit, why)
  }

  #giveUp(unit: CpuUnit, why: string): void {
    this.#options.log.error(`${unit.id} fails again and again and is given up: ${why}`)
    if (this.units.every(({ current }) => current === undefined)) this.#events?.failed(why)
    this.#checkExhausted()
  }

  /** The regular look at everything, in case a message is late or a thread no longer sends any. */
  #look(): void {
    for (const unit of this.units) {
      if (!unit.current?.ready) continue
      const { heartbeat } = unit.current.slot
      unit.still = heartbeat === unit.heartbeat ? unit.still + 1 : 0
      unit.heartbeat = heartbeat
      if (unit.still >= this.#patience.stillLooks)
        this.#replace(unit, `it gave no sign of life for ${(LOOK_EVERY * this.#patience.stillLooks) / 1000} s`)
    }
    this.#lookAtSlots()
  }

  #lookAtSlots(): void {
    for (const unit of this.units) {
      const { slot } = unit.current ?? {}
      if (!slot || slot.sequence === unit.reported || slot.sequence === 0) continue
      unit.reported = slot.sequence
      this.#events?.switched(unit.id, unit.reported, slot.switchMs / 1000)
    }
    this.#drain()
    this.#checkExhausted()
  }

  /** Hands on what is in the rings, oldest first, a few at a time. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    let left = CANDIDATES_A_TURN
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

  #checkExhausted(): void {
    const work = this.#work
    if (!work?.range || this.#exhausted || this.#closed || this.#memory.claimed) return
    const { version } = this.#memory
    const searching = this.units.some(({ current }) => current && current.slot.drainedAt !== version)
    if (searching || this.#slots().some(slot => slot.peek() || this.#leftOf(slot))) return
    if (this.units.every(({ current }) => !current)) return
    this.#exhausted = true
    this.#events?.exhausted(work.sequence)
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
