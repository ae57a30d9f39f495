/** Replaces threads that have died or hang, and gives up units whose threads fail again and again. */
import type { Clock } from "../../clock.ts"
import type { Log } from "../../log.ts"
import type { EngineEvents } from "../engine.ts"
import type { EngineSearch } from "./engine-search.ts"
import type { Patience } from "./options.ts"
import type { ThreadUnit } from "./thread-unit.ts"
import type { UnitThreads } from "./unit-threads.ts"
import type { Units } from "./units.ts"

export interface ReplacementsOptions<Task> {
  readonly units: Units<Task>
  readonly threads: UnitThreads<Task>
  readonly search: EngineSearch<Task>
  /** Undefined before the engine's start. */
  readonly events: () => EngineEvents | undefined
  readonly patience: Patience
  readonly clock: Clock
  readonly log: Log
}

export class Replacements<Task> {
  readonly #options: ReplacementsOptions<Task>

  constructor(options: ReplacementsOptions<Task>) {
    this.#options = options
  }

  /** Replaces a unit's thread. */
  replace(unit: ThreadUnit<Task>, why: string): void {
    const { units, threads, search, events } = this.#options
    if (!units.wants(unit)) return
    void threads.retire(unit)
    search.reopenUnanswered()
    events()?.restarted(unit.id, why)
    this.#revive(unit, why)
  }

  #revive(unit: ThreadUnit<Task>, why: string): void {
    const { units, threads, patience, clock } = this.#options
    const now = clock.now()
    unit.failures = [...unit.failures.filter(at => now - at < patience.failureWindowMs), now]
    if (unit.failures.length > patience.maxFailures) this.#giveUp(unit, why)
    else threads.spawn(unit).catch((error: Error) => units.wants(unit) && this.#revive(unit, error.message))
  }

  #giveUp(unit: ThreadUnit<Task>, why: string): void {
    const { units, search, events, log } = this.#options
    log.error(`${unit.id} failed repeatedly and was given up: ${why}`)
    if (units.present.every(({ current }) => current === undefined)) events()?.failed(why)
    search.checkExhausted()
  }
}
