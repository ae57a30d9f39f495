/** Tells a worker that hangs from one that waits for a CPU. */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import { LOOK_INTERVAL_MS } from "./options.ts"
import type { ThreadUnit } from "./thread-unit.ts"

/** A thread that wants a CPU and received less than this share of one is starved, not hung. */
const STARVED_SHARE = 0.1

/** Interval between two lines about a starved worker. */
const STARVED_LINE_MS = 60_000

export interface StillnessOptions {
  /** Looks without a heartbeat after which a worker counts as hung. */
  readonly maxStillLooks: number
  readonly clock: Clock
  readonly log: Log
}

export class Stillness<Task> {
  readonly #options: StillnessOptions
  readonly #seconds: number

  constructor(options: StillnessOptions) {
    this.#options = options
    this.#seconds = (LOOK_INTERVAL_MS * options.maxStillLooks) / 1000
  }

  /**
   * Looks at a unit, to be called at every look; logs a line if its thread is starved.
   * @returns why its thread must be replaced; undefined if it need not
   */
  look(unit: ThreadUnit<Task>): string | undefined {
    unit.still = isStill(unit) ? unit.still + 1 : 0
    if (unit.still === 1) unit.stillCpuMs = unit.activity?.cpuMs
    if (unit.still < this.#options.maxStillLooks) return undefined
    if (!isStarved(unit)) return `it made no progress for ${this.#seconds} s`
    this.#reportStarved(unit)
    return undefined
  }

  #reportStarved(unit: ThreadUnit<Task>): void {
    const { clock, log } = this.#options
    unit.still = 0
    const now = clock.now()
    if (now - unit.starvedAt < STARVED_LINE_MS) return
    unit.starvedAt = now
    log.warn(
      `${unit.id} is starved: other programs left it less than ${100 * STARVED_SHARE} % of a CPU for ${this.#seconds} s`,
    )
  }
}

/** A thread that loads another task has no heartbeat: it counts as still if it was stopped or has ended. */
function isStill(unit: ThreadUnit<unknown>): boolean {
  const { current } = unit
  if (!current) return false
  if (!current.ready) return current.isObserved && (unit.activity?.state ?? "stopped") === "stopped"
  const { heartbeat } = current.slot
  const isStill = heartbeat === unit.heartbeat
  unit.heartbeat = heartbeat
  return isStill
}

/** A thread that waits for a CPU is not at fault: a replacement would wait as well. */
function isStarved({ activity, still, stillCpuMs }: ThreadUnit<unknown>): boolean {
  if (activity?.state !== "runnable" || stillCpuMs === undefined) return false
  return activity.cpuMs - stillCpuMs < STARVED_SHARE * LOOK_INTERVAL_MS * (still - 1)
}
