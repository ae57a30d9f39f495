import type { ThreadUnit } from "./thread-unit.ts"
import type { EngineSlot } from "./views.ts"

/** The units of an engine: those that it has now, and those that were removed. */
export class Units<Task> {
  /** By index. Removed units stay, with their counts. */
  readonly all: ThreadUnit<Task>[] = []
  /** The engine has the first `size` units of `all`. */
  size = 0
  /** True once the engine is closed: no unit gets another thread. */
  isClosed = false

  /** Those that the engine has. */
  get present(): readonly ThreadUnit<Task>[] {
    return this.all.slice(0, this.size)
  }

  /** Whether a unit is to have a thread. */
  wants(unit: ThreadUnit<Task>): boolean {
    return !this.isClosed && unit.index < this.size
  }

  /** Slots of all threads whose counts are not settled. */
  get slots(): EngineSlot[] {
    return this.all.flatMap(unit => unit.slots)
  }
}
