/** The engines of a miner: those that are starting, and those that can hash. */
import type { Engine, Unit, Work } from "../engines/engine.ts"

export class EngineSet {
  readonly #existing = new Set<Engine>()
  readonly #live: Engine[] = []

  /** @param engines one or more, not started */
  constructor(engines: readonly Engine[]) {
    for (const engine of engines) this.add(engine)
  }

  /** Engines that are starting or live. */
  get existing(): readonly Engine[] {
    return [...this.#existing]
  }

  /** Engines that have started and can hash. */
  get live(): readonly Engine[] {
    return this.#live
  }

  /** The units of all existing engines. */
  get units(): readonly Unit[] {
    return this.existing.flatMap(engine => engine.units)
  }

  /** Adds an engine that is about to start. */
  add(engine: Engine): void {
    this.#existing.add(engine)
  }

  /** Marks an engine as started. */
  started(engine: Engine): void {
    this.#live.push(engine)
  }

  /** @returns whether the engine was live; undefined if it was already removed */
  remove(engine: Engine): boolean | undefined {
    if (!this.#existing.delete(engine)) return undefined
    const at = this.#live.indexOf(engine)
    if (at >= 0) this.#live.splice(at, 1)
    return at >= 0
  }

  /** Assigns the same work to every live engine; null: idle. */
  assign(work: Work | null): void {
    for (const engine of this.#live) engine.assign(work)
  }

  /** Stops the search of a work and keeps its progress. */
  hold(sequence: number): void {
    for (const engine of this.#live) engine.hold(sequence)
  }

  /** Continues the search of a work that was held. */
  resume(sequence: number): void {
    for (const engine of this.#live) engine.resume(sequence)
  }

  /** Hashes that all live engines have counted for a work. */
  hashesOf(sequence: number): bigint {
    return this.#live.reduce((sum, engine) => sum + engine.hashesOf(sequence), 0n)
  }

  close(): Promise<unknown> {
    return Promise.all(this.existing.map(engine => engine.close()))
  }
}
