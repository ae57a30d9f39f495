/** What an engine and a worker thread send each other. Everything after the order passes through shared memory. */

/** A worker's assignment until it is recalled; null asks it to exit. @typeParam Task must survive structured cloning */
export interface WorkerOrder<Task> {
  readonly buffer: SharedArrayBuffer
  /** Index of the worker's slot. */
  readonly slot: number
  /** `SALT_BYTES` bytes, the same for all workers of an engine. */
  readonly salt: Uint8Array
  /** Logical CPU to run on; undefined: any. */
  readonly cpu: number | undefined
  /** What to search with: a CPU kernel or a device. */
  readonly task: Task
}

export type WorkerReport =
  /**
   * The kernel has passed its self-test. `isPlaced` is false if the thread could not be bound to the ordered CPU;
   * `threadId` is the system's, undefined if the thread cannot be bound later.
   */
  | { readonly kind: "ready"; readonly isPlaced: boolean; readonly threadId?: number | undefined }
  /** The kernel cannot run here (`unsupported`), or returned a wrong result. */
  | { readonly kind: "refused"; readonly why: string; readonly unsupported: boolean }
  /** A slow step of the worker's start, for the log. */
  | { readonly kind: "progress"; readonly what: string }
  /** The slot holds something new for the engine. */
  | { readonly kind: "notify" }
  | { readonly kind: "crashed"; readonly why: string }
