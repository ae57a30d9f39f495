/**
 * An engine of worker threads, for CPUs and GPUs alike. It writes the work into shared memory, reads counters and
 * candidates there, and replaces workers that die or hang.
 */
import { host } from "../../host/host.ts"
import type { Engine, EngineEvents, Work } from "../engine.ts"
import { EngineSearch } from "./engine-search.ts"
import { LOOK_INTERVAL_MS, MAX_WORKERS, PATIENCE, type TaskOf, type ThreadEngineOptions } from "./options.ts"
import { Replacements } from "./replacements.ts"
import { createMemory } from "./shared-memory.ts"
import { Stillness } from "./stillness.ts"
import { ThreadUnit } from "./thread-unit.ts"
import { UnitThreads } from "./unit-threads.ts"
import { Units } from "./units.ts"

/** Workers, and room for threads that are ending beside them. */
const SLOTS = MAX_WORKERS + 64

export class ThreadEngine<Task> implements Engine {
  #nameOf: (cpu: number | undefined) => string
  readonly #options: ThreadEngineOptions<Task>
  readonly #units = new Units<Task>()
  readonly #search: EngineSearch<Task>
  readonly #threads: UnitThreads<Task>
  readonly #stillness: Stillness<Task>
  readonly #replacements: Replacements<Task>
  #affinity: readonly number[] | undefined
  #events: EngineEvents | undefined
  #prepared: Promise<void> | undefined
  /** Settles when the last requested change of size is complete; changes run one at a time. */
  #resized: Promise<void> = Promise.resolve()
  #stopLooking = () => {}

  constructor(options: ThreadEngineOptions<Task>) {
    const { patience = PATIENCE, affinity, ...rest } = options
    this.#nameOf = () => options.name
    this.#options = options
    this.#affinity = affinity
    const memory = createMemory(SLOTS)
    const units = this.#units
    const events = () => this.#events
    this.#search = new EngineSearch({ memory, units, events })
    this.#threads = new UnitThreads(
      { ...rest, units, memory, startMs: patience.startMs },
      {
        notified: () => this.#search.look(),
        failed: (unit, why) => this.#replacements.replace(unit, why),
        gone: () => {
          this.#search.reopenUnanswered()
          this.#search.checkExhausted()
        },
      },
    )
    this.#stillness = new Stillness({ ...rest, maxStillLooks: patience.maxStillLooks })
    this.#replacements = new Replacements({
      ...rest,
      units,
      threads: this.#threads,
      search: this.#search,
      events,
      patience,
    })
  }

  /** Joined by `+` if its units have different names. */
  get name(): string {
    const names = new Set(this.units.map(({ cpu }) => this.#nameOf(cpu)))
    return names.size > 0 ? [...names].join("+") : this.#nameOf(undefined)
  }

  /** Renames the units by the CPUs that they are bound to; the counts of those whose name changes start again at zero. */
  rename(nameOf: (cpu: number | undefined) => string): void {
    this.#nameOf = nameOf
    this.#renameUnits()
  }

  #renameUnits(): void {
    for (const unit of this.#units.all) {
      const id = this.#idOf(unit.index)
      if (id !== unit.id) unit.rename(id)
    }
  }

  get isClosed(): boolean {
    return this.#units.isClosed
  }

  get units(): readonly ThreadUnit<Task>[] {
    return this.#units.present
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
    this.#search.assign(work)
    this.#threads.freeSlots()
  }

  /**
   * Lets workers search `work` while no other is assigned, in order to measure them. Its hashes count as tested; nothing
   * else of it is reported.
   */
  rehearse(work: Work | null): void {
    this.#search.rehearse(work)
  }

  hold(sequence: number): void {
    this.#search.hold(sequence)
  }

  resume(sequence: number): void {
    this.#search.resume(sequence)
  }

  hashesOf(sequence: number): bigint {
    return this.#search.hashesOf(sequence)
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
    if (!hasStarted || this.isClosed) return
    this.#resized = this.#resized
      .then(() => (units >= this.#units.size ? this.#grow(units) : this.#shrink(units)))
      .catch((error: Error) => {
        if (this.isClosed) return
        this.#options.log.warn(`${this.#units.size} workers run instead of ${units}: ${error.message}`)
      })
    return this.#resized
  }

  /**
   * Gives every worker another task by its CPU, one change at a time; the current work is searched again as soon as each is ready.
   * Rejects with RefusedKernel if the task cannot run here, after which the workers may wait for another task; with another
   * error if a worker died or was late, which is replaced.
   */
  retask(task: TaskOf<Task>): Promise<void> {
    return this.#change(() => this.#threads.retask(task))
  }

  #change(change: () => Promise<void>): Promise<void> {
    const changed = this.#resized.then(change)
    this.#resized = changed.catch(() => {})
    return changed
  }

  /**
   * Moves all workers, including those that run, to other CPUs at once; the work continues. Settles when workers whose new
   * CPU has another task are ready with it; rejects as `retask`.
   * @param affinity as in the options
   * @param allowed CPUs for workers whose affinity is lifted
   */
  moveWorkers(affinity: readonly number[] | undefined, allowed: readonly number[]): Promise<void> {
    this.#affinity = affinity
    for (const unit of this.#units.all) {
      unit.cpu = this.#cpuOf(unit.index)
      this.#threads.move(unit, unit.cpu === undefined ? allowed : [unit.cpu])
    }
    return this.#change(async () => {
      await this.#threads.followCpus()
      this.#renameUnits()
    })
  }

  async close(): Promise<void> {
    this.#units.isClosed = true
    this.#stopLooking()
    this.#search.stop()
    await Promise.all(this.#units.all.map(unit => this.#threads.retire(unit)))
  }

  /** Adds units up to `size` while the work continues. Rejects if one cannot start; that one and later ones are removed. */
  async #grow(size: number): Promise<void> {
    const units = this.#units
    const added = Array.from({ length: size - units.size }, (_, i) => this.#unit(units.size + i))
    units.size = size
    const started = await Promise.allSettled(added.map(unit => this.#threads.spawn(unit)))
    const failed = started.find(result => result.status === "rejected")
    if (!failed) return
    const running = added.findIndex(unit => !unit.current?.ready)
    units.size = Math.min(units.size, added[Math.max(0, running)]!.index)
    for (const unit of units.all.slice(units.size)) void this.#threads.retire(unit)
    throw failed.reason
  }

  #shrink(size: number): void {
    const removed = this.units.slice(size)
    this.#units.size = size
    for (const unit of removed) void this.#threads.retire(unit)
  }

  #idOf(index: number): string {
    const { firstUnit = 0 } = this.#options
    return `${this.#nameOf(this.#cpuOf(index))}/${firstUnit + index}`
  }

  #unit(index: number): ThreadUnit<Task> {
    const { kind, activity = host.threadActivity } = this.#options
    const id = this.#idOf(index)
    const searching = () => this.#search.sequence
    const unit = (this.#units.all[index] ??= new ThreadUnit<Task>({ id, kind, index, searching, activity }))
    unit.cpu = this.#cpuOf(index)
    return unit
  }

  #cpuOf(index: number): number | undefined {
    return this.#affinity?.[index % this.#affinity.length]
  }

  /** Looks at all workers, in case a notification is late or a thread sends none any more. */
  #look(): void {
    for (const unit of this.units) {
      const why = this.#stillness.look(unit)
      if (why !== undefined) this.#replacements.replace(unit, why)
    }
    this.#search.look()
  }
}
