/** The engine's side of a search: the work that all workers share, their candidates, and the end of its range. */
import { topOf } from "../../pow/target.ts"
import { integerToBytes } from "../../pow/u512.ts"
import type { NonceRange } from "../../sources/source.ts"
import type { EngineEvents, Work } from "../engine.ts"
import { chunkOf } from "./range.ts"
import { sharedNow } from "./shared-now.ts"
import type { Units } from "./units.ts"
import type { EngineMemory, Progress, SharedWork } from "./views.ts"

/** Candidates that are passed on before the event loop gets another turn. */
const CANDIDATES_PER_TURN = 4

export interface EngineSearchOptions<Task> {
  readonly memory: EngineMemory
  readonly units: Units<Task>
  /** Undefined before the engine's start. */
  readonly events: () => EngineEvents | undefined
}

export class EngineSearch<Task> {
  readonly #memory: EngineMemory
  readonly #units: Units<Task>
  readonly #events: () => EngineEvents | undefined
  #work: Work | null = null
  /** Searched while no work is assigned; nothing of it is reported. */
  #rehearsal: Work | null = null
  /** Version at which a candidate of the current work was passed on. */
  #answered = 0
  #exhausted = false
  /** Chunks of the current range that former workers left unfinished and nobody has been given. */
  #left: Progress[] = []
  #draining = false

  constructor({ memory, units, events }: EngineSearchOptions<Task>) {
    this.#memory = memory
    this.#units = units
    this.#events = events
  }

  /** Sequence that workers search now; 0: none. */
  get sequence(): number {
    return this.#work && !this.#memory.claimed && !this.#exhausted ? this.#work.sequence : 0
  }

  /** As `Engine.assign`. */
  assign(work: Work | null): void {
    this.#work = work
    this.#exhausted = false
    this.#left = []
    this.#share()
  }

  /** As `ThreadEngine.rehearse`. */
  rehearse(work: Work | null): void {
    this.#rehearsal = work
    if (!this.#work && !this.#units.isClosed) this.#share()
  }

  #share(): void {
    const work = this.#work ?? this.#rehearsal
    this.#memory.assign(work && shared(work))
  }

  /** As `Engine.hold`. */
  hold(sequence: number): void {
    if (this.#work?.sequence !== sequence) return
    this.#memory.claim()
    // A candidate that is still to come was lost with its thread or is passed on: either way, only `resume` reopens.
    this.#answered = this.#memory.version
  }

  /** As `Engine.resume`. */
  resume(sequence: number): void {
    this.#drain()
    if (this.#work?.sequence === sequence && this.#memory.claimed) this.#memory.reopen()
  }

  /** Makes the workers idle for good; the counts stay. */
  stop(): void {
    this.#memory.assign(null)
  }

  /** As `Engine.hashesOf`. */
  hashesOf(sequence: number): bigint {
    if (this.#work?.sequence !== sequence) return 0n
    return this.#units.slots.reduce((sum, slot) => sum + slot.hashesOf(sequence), 0n)
  }

  /** Reports what the slots show: take-ups of the work, candidates, and the end of its range. */
  look(): void {
    for (const unit of this.#units.present) {
      const { slot } = unit.current ?? {}
      if (!slot || slot.sequence === unit.reported || slot.sequence !== this.#work?.sequence) continue
      unit.reported = slot.sequence
      this.#events()?.switched(unit.id, unit.reported, slot.switchMs / 1000)
    }
    this.#drain()
    this.checkExhausted()
  }

  /** A thread may have claimed the end of the search and died before it showed its candidate: the search continues. */
  reopenUnanswered(): void {
    this.#drain()
    if (this.#work && !this.#units.isClosed && this.#memory.claimed && this.#answered !== this.#memory.version)
      this.#memory.reopen()
  }

  /** Passes on candidates from the rings, oldest first, a few per turn. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    let left = CANDIDATES_PER_TURN
    for (const unit of this.#units.all) {
      for (const slot of unit.slots) {
        for (let found = slot.peek(); found && left > 0; found = slot.peek()) {
          slot.drop()
          if (found.sequence !== this.#work?.sequence || this.#units.isClosed) continue
          left -= 1
          this.#answered = this.#memory.version
          this.#events()?.candidate({ ...found, unit: unit.id })
        }
      }
    }
    this.#draining = false
    if (left === 0) setImmediate(() => this.look())
  }

  /**
   * Once all workers have drained the range: hands out the chunks that former workers left unfinished; if there are none,
   * the range is exhausted.
   */
  checkExhausted(): void {
    const work = this.#work
    if (!work?.range || this.#exhausted || this.#units.isClosed || this.#memory.claimed) return
    const { version } = this.#memory
    const drained = this.#units.present.flatMap(({ current }) => (current ? [current.slot] : []))
    if (drained.length === 0 || drained.some(slot => slot.drainedAt !== version)) return
    if (this.#units.slots.some(slot => slot.peek())) return
    this.#reclaim(work.sequence, work.range)
    if (this.#left.length > 0) {
      this.#left = this.#left.filter((chunk, i) => !drained[i]?.give(chunk))
      this.#memory.reopen()
    } else {
      this.#exhausted = true
      this.#events()?.exhausted(work.sequence)
    }
  }

  /** Takes the unfinished chunks of former workers. */
  #reclaim(sequence: number, range: NonceRange): void {
    for (const unit of this.#units.all) {
      for (const { slot } of unit.former) {
        const left = this.#memory.reclaim(slot, sequence, chunk => chunkOf(range, chunk))
        if (left) this.#left.push(left)
      }
    }
  }
}

function shared(work: Work): SharedWork {
  return {
    sequence: work.sequence,
    assignedAt: sharedNow(),
    perHash: 1 / Number(work.difficulty),
    top: topOf(work.target),
    header: work.header,
    prefix: work.prefix,
    range: work.range && { first: integerToBytes(work.range.first), last: integerToBytes(work.range.last) },
    stopAtCandidate: work.stopAtCandidate,
  }
}
