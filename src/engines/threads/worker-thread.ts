/** The engine's side of one worker thread: orders, reports, end. */
import { RefusedKernel } from "../engine.ts"
import type { WorkerOrder, WorkerReport } from "./messages.ts"

export type ReadyThread = Omit<Extract<WorkerReport, { kind: "ready" }>, "kind">

export interface ThreadEvents {
  /** The worker's slot holds something new. */
  notified(): void
  /** The worker does something that takes long before it is ready. */
  progressed(what: string): void
  /** The thread ended after it was ready, without having been asked to. */
  died(why: string): void
}

export class WorkerThread<Task> {
  /** Resolves when the thread has ended. */
  readonly gone: Promise<void>
  readonly #worker: Worker
  readonly #events: ThreadEvents
  /** The order that the worker has not answered. */
  #pending: PromiseWithResolvers<ReadyThread> | undefined
  #ending = false

  /**
   * @param entry a module that calls `serveOrders` with the same task type
   * @throws Error if the system denies the thread
   */
  constructor(entry: string | URL, events: ThreadEvents) {
    this.#worker = spawn(entry)
    this.#events = events
    const gone = Promise.withResolvers<void>()
    this.gone = gone.promise
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => this.#receive(data)
    this.#worker.onerror = event => {
      event.preventDefault()
      this.#fail(new Error(explained(event.message)))
    }
    this.#worker.addEventListener("close", () => {
      this.#fail(new Error("the thread ended"))
      gone.resolve()
    })
  }

  /**
   * Sends an order; the previous one must have been answered, and its search recalled. Resolves once the kernel has passed
   * its self-test. Rejects with RefusedKernel, after which the thread waits for another order, or with the error that the
   * thread died of.
   */
  order(order: WorkerOrder<Task>): Promise<ReadyThread> {
    const pending = Promise.withResolvers<ReadyThread>()
    pending.promise.catch(() => {})
    if (this.#ending) pending.reject(new Error("the thread ended"))
    else {
      this.#pending = pending
      this.#worker.postMessage(order)
    }
    return pending.promise
  }

  /** Lets the thread end once it waits for an order. Its end is no longer reported as its death; an open order fails. */
  end(): void {
    this.#ending = true
    this.#pending?.reject(new Error("the thread was asked to end"))
    this.#pending = undefined
    this.#worker.postMessage(null)
  }

  #receive(report: WorkerReport): void {
    switch (report.kind) {
      case "ready":
        this.#pending?.resolve(report)
        this.#pending = undefined
        return
      case "refused":
        this.#pending?.reject(new RefusedKernel(report.why, report.unsupported))
        this.#pending = undefined
        return
      case "progress":
        this.#events.progressed(report.what)
        return
      case "notify":
        this.#events.notified()
        return
      case "crashed":
        this.#fail(new Error(report.why))
    }
  }

  #fail(error: Error): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending) pending.reject(error)
    else if (!this.#ending) this.#events.died(error.message)
    this.#ending = true
  }
}

function spawn(entry: string | URL): Worker {
  try {
    return new Worker(entry)
  } catch (error) {
    throw new Error(explained((error as Error).message), { cause: error })
  }
}

/** Names what denies a thread, because the runtime does not say it. */
const explained = (message: string): string =>
  message.includes("Failed to spawn")
    ? `${message}: a limit on processes, threads or memory, or a system call filter that denies clone3`
    : message
