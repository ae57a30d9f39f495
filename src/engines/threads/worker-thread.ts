/** The engine's side of one worker thread: start, reports, end. */
import { RefusedKernel } from "../engine.ts"
import type { WorkerOrder, WorkerReport } from "./messages.ts"

export type ReadyThread = Omit<Extract<WorkerReport, { kind: "ready" }>, "kind">

export interface ThreadEvents {
  /** The worker's slot holds something new. */
  notified(): void
  /** The thread ended after it was ready, without having been asked to. */
  died(why: string): void
}

export class WorkerThread<Task> {
  /**
   * Resolves once the worker's kernel has passed its self-test. Rejects with RefusedKernel, or with the error that the
   * worker died of.
   */
  readonly ready: Promise<ReadyThread>
  /** Resolves when the thread has ended. */
  readonly gone: Promise<void>
  readonly #worker: Worker
  #ending = false

  /** @param entry a module that calls `serveOrder` with the same task type */
  constructor(entry: string | URL, order: WorkerOrder<Task>, events: ThreadEvents) {
    this.#worker = new Worker(entry)
    const ready = Promise.withResolvers<ReadyThread>()
    const gone = Promise.withResolvers<void>()
    this.ready = ready.promise
    this.gone = gone.promise
    this.ready.catch(() => {})
    let alive = false

    const fail = (error: Error) => {
      ready.reject(error)
      if (alive && !this.#ending) {
        this.#ending = true
        events.died(error.message)
      }
    }
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => {
      switch (data.kind) {
        case "ready":
          alive = true
          return ready.resolve(data)
        case "refused":
          return fail(new RefusedKernel(data.why, data.unsupported))
        case "notify":
          return events.notified()
        case "crashed":
          return fail(new Error(data.why))
      }
    }
    this.#worker.onerror = event => {
      event.preventDefault()
      fail(new Error(event.message))
    }
    this.#worker.addEventListener("close", () => {
      fail(new Error("the thread ended"))
      gone.resolve()
    })
    this.#worker.postMessage(order)
  }

  /** The thread's end is no longer reported as its death. */
  expectEnd(): void {
    this.#ending = true
  }
}
