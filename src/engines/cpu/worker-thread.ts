/** The engine's side of one worker thread: its start, its reports, its end. */
import type { WorkerOrder, WorkerReport } from "./worker-main.ts"

/** A kernel that cannot run here or that computes wrongly; the next best is used. */
export class RefusedKernel extends Error {
  override readonly name = "RefusedKernel"

  /** @param unsupported whether this machine lacks something, rather than the kernel being wrong */
  constructor(
    message: string,
    readonly unsupported: boolean,
  ) {
    super(message)
  }
}

export type ReadyThread = Omit<Extract<WorkerReport, { kind: "ready" }>, "kind">

export interface ThreadEvents {
  /** The worker has something to show in its slot. */
  ring(): void
  /** The thread ended by itself after it was ready, without having been asked to. */
  died(why: string): void
}

export class WorkerThread {
  /**
   * Settles once the worker has proved its kernel: whether it is pinned as ordered, and the system's number of it.
   * Rejects with RefusedKernel, or with the error that the worker died of.
   */
  readonly ready: Promise<ReadyThread>
  /** Settles when the thread has ended. */
  readonly gone: Promise<void>
  readonly #worker: Worker
  #ending = false

  /** @param entry a module that calls `serveWorker` */
  constructor(entry: string | URL, order: WorkerOrder, events: ThreadEvents) {
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
        case "ring":
          return events.ring()
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

  /** From now on the thread's end is not reported as its death. */
  expectEnd(): void {
    this.#ending = true
  }
}
