import type { Clock } from "../../clock.ts"
import type { Platform } from "../../host/platform.ts"
import type { Log } from "../../log.ts"
import type { Unit } from "../engine.ts"

/** @returns the task of workers on a CPU; undefined: of those that are not bound */
export type TaskOf<Task> = (cpu: number | undefined) => Task

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
  /**
   * The first task of workers on a CPU, undefined if they are not bound; always the same object for the same task.
   * @throws UnsupportedKernel if it cannot run here
   */
  readonly task: TaskOf<Task>
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

export const PATIENCE: Patience = { startMs: 30_000, maxStillLooks: 4, maxFailures: 5, failureWindowMs: 60_000 }

export const MAX_WORKERS = 1024

/** Interval between two looks at all workers. */
export const LOOK_INTERVAL_MS = 250
