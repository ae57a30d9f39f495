/** Gives units their threads and tasks, and takes them away. */
import { type Clock, sleep } from "../../clock.ts"
import { host } from "../../host/host.ts"
import type { Platform } from "../../host/platform.ts"
import { UnsupportedKernel } from "../../kernel/kernel.ts"
import type { Log } from "../../log.ts"
import { RefusedKernel } from "../engine.ts"
import { SALT_BYTES } from "./base-nonce.ts"
import type { TaskOf } from "./options.ts"
import type { CurrentThread, ThreadUnit } from "./thread-unit.ts"
import type { Units } from "./units.ts"
import type { EngineMemory, EngineSlot } from "./views.ts"
import { WorkerThread } from "./worker-thread.ts"

/** Time that a worker is given to leave. */
const LEAVE_MS = 500

/** Workers that load a new task at the same time; each needs memory for its self-test, which the next ones reuse. */
const RETASKED_AT_ONCE = 2

export interface UnitThreadsOptions<Task> {
  readonly units: Units<Task>
  readonly memory: EngineMemory
  readonly entry: string | URL
  readonly task: TaskOf<Task>
  readonly random: (bytes: number) => Uint8Array
  readonly setAffinity?: Platform["setThreadAffinity"]
  /** Milliseconds for a thread to carry out an order. */
  readonly startMs: number
  readonly clock: Clock
  readonly log: Log
}

export interface UnitThreadsEvents<Task> {
  /** A slot holds something new. */
  notified(): void
  /** A unit's thread ended without having been asked to, or was late with a new task. */
  failed(unit: ThreadUnit<Task>, why: string): void
  /** A thread that was retired has ended. */
  gone(): void
}

export class UnitThreads<Task> {
  readonly #options: UnitThreadsOptions<Task>
  readonly #events: UnitThreadsEvents<Task>
  readonly #salt: Uint8Array
  readonly #free: EngineSlot[]
  #taskOf: TaskOf<Task>

  constructor(options: UnitThreadsOptions<Task>, events: UnitThreadsEvents<Task>) {
    this.#options = options
    this.#events = events
    this.#salt = options.random(SALT_BYTES)
    this.#free = options.memory.slots.toReversed()
    this.#taskOf = options.task
  }

  /** Frees the slots of threads that have ended, whose counts and chunks are no longer needed. */
  freeSlots(): void {
    for (const unit of this.#options.units.all) this.#free.push(...unit.settlePast())
  }

  /** Gives the unit a thread. Rejects if the thread does not start; then it is asked to end. */
  async spawn(unit: ThreadUnit<Task>): Promise<void> {
    const task = this.#taskFor(unit)
    const thread = new WorkerThread<Task>(this.#options.entry, {
      notified: () => this.#events.notified(),
      progressed: what => this.#options.log.info(`${unit.id}: ${what}`),
      died: why => this.#events.failed(unit, why),
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
      if (unit.current === current) void this.retire(unit)
      throw error
    }
  }

  /** Orders a thread to search with a task. Settles when it is ready; rejects as `WorkerThread.order`, and if it is late. */
  async #order(unit: ThreadUnit<Task>, current: CurrentThread<Task>, task: Task): Promise<void> {
    const { memory, clock, log, startMs } = this.#options
    const { cpu } = unit
    current.task = task
    const answer = current.thread.order({
      buffer: memory.buffer,
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
    const cancel = clock.after(startMs, () => late.reject(new Error(`did not start within ${startMs / 1000} s`)))
    try {
      const { isPlaced, threadId } = await Promise.race([answer, late.promise])
      current.ready = true
      current.threadId = threadId
      current.isObserved = unit.activity !== undefined
      unit.still = 0
      if (unit.cpu !== cpu && unit.cpu !== undefined) this.move(unit, [unit.cpu])
      else if (!isPlaced) log.warn(`${unit.id} could not be bound to CPU ${cpu}: the scheduler places it`)
    } finally {
      cancel()
    }
  }

  /** Moves the unit's thread, if it has one that can be moved. */
  move({ id, current }: ThreadUnit<Task>, cpus: readonly number[]): void {
    const { setAffinity = host.setThreadAffinity, log } = this.#options
    if (current?.threadId === undefined) return
    if (!setAffinity(cpus, current.threadId)) log.warn(`${id} could not be moved to CPU ${cpus.join()}`)
  }

  /** Gives every unit a new task. Rejects with the error of one that could not take it. */
  async retask(taskOf: TaskOf<Task>): Promise<void> {
    const { units } = this.#options
    if (units.isClosed) throw new Error("the engine is closed")
    for (const { cpu } of units.present) refusing(taskOf, cpu)
    this.#taskOf = taskOf
    await this.#retaskAll(units.present)
  }

  /** Gives units whose CPU has another task that task. Rejects as `retask`. */
  async followCpus(): Promise<void> {
    const { units } = this.#options
    if (units.isClosed) return
    await this.#retaskAll(units.present.filter(unit => unit.current && unit.current.task !== this.#taskFor(unit)))
  }

  #taskFor({ cpu }: ThreadUnit<Task>): Task {
    return refusing(this.#taskOf, cpu)
  }

  async #retaskAll(units: readonly ThreadUnit<Task>[]): Promise<void> {
    for (let first = 0; first < units.length; first += RETASKED_AT_ONCE) {
      const group = units.slice(first, first + RETASKED_AT_ONCE)
      const outcomes = await Promise.allSettled(group.map(unit => this.#retaskOne(unit)))
      const failed = outcomes.find(outcome => outcome.status === "rejected")
      if (failed) throw failed.reason
    }
  }

  async #retaskOne(unit: ThreadUnit<Task>): Promise<void> {
    const { current } = unit
    // A thread that is replaced meanwhile starts with the new task.
    await current?.answered
    if (!current || unit.current !== current) return
    const task = this.#taskFor(unit)
    current.ready = false
    current.slot.recall()
    try {
      await this.#order(unit, current, task)
    } catch (error) {
      // A thread that was replaced meanwhile is not the task's fault; its replacement starts with the task.
      if (unit.current !== current) return void (await unit.current?.answered)
      if (!(error instanceof RefusedKernel)) this.#events.failed(unit, String(error))
      throw error
    }
  }

  /**
   * Removes the unit's thread and asks it to end. Settles when it has ended or `LEAVE_MS` have passed; a thread that
   * hangs ends when it continues, or with the process. Threads are never terminated: `terminate` blocks the main thread
   * for as long as the thread hangs in a system call.
   */
  async retire(unit: ThreadUnit<Task>): Promise<void> {
    const { current } = unit
    if (!current) return
    unit.current = undefined
    const former = { slot: current.slot, gone: false }
    unit.former.push(former)
    const gone = current.thread.gone.then(() => {
      former.gone = true
      this.#events.gone()
    })
    current.slot.leave()
    current.thread.end()
    const settled = new AbortController()
    void gone.then(() => settled.abort())
    await sleep(this.#options.clock, LEAVE_MS, settled.signal)
  }
}

/** @throws RefusedKernel if the task cannot run here */
function refusing<Task>(taskOf: TaskOf<Task>, cpu: number | undefined): Task {
  try {
    return taskOf(cpu)
  } catch (error) {
    throw error instanceof UnsupportedKernel ? new RefusedKernel(error.message, true) : error
  }
}
