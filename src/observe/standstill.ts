/** Detects a miner that earns nothing: it has no job, or none of its shares is accepted. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"

/** A bounded set, because it is a metric's label. */
export const STANDSTILL_KINDS = ["no_job", "no_share_accepted"] as const

export type StandstillKind = (typeof STANDSTILL_KINDS)[number]

export interface Standing {
  /** Clock milliseconds at which a nonce was last tested, or at which the miner started or resumed if that is later. */
  readonly progressAt: number
  /** Whether there is a job to search; false after a seal that ends its job. */
  readonly hasJob: boolean
  /** Whether the miner is paused; a pause is not a standstill. */
  readonly isPaused: boolean
  /** The source of the job; all sources without a job. */
  readonly source: string
  /** Why a source is down; undefined if none is. */
  readonly problem: string | undefined
  /** Statistically expected seals since the start. */
  readonly expectedSeals: number
}

const IDLE_MS = 60_000

/** With ten expected shares, accepting none by chance has a probability of 1 in 22,000. */
const MAX_EXPECTED = 10
const NO_SHARE_MS = 300_000

const WARN_EVERY_MS = 600_000

export class Standstill {
  readonly #clock: Clock
  readonly #log: Log
  readonly #warnedAt = new Map<StandstillKind, number>()
  #found: Finding | undefined
  #countsFrom: { readonly at: number; readonly expectedSeals: number }

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
    this.#countsFrom = { at: clock.now(), expectedSeals: 0 }
  }

  /** Undefined without a standstill. */
  get kind(): StandstillKind | undefined {
    return this.#found?.kind
  }

  /** `idle for 60 s: no job from quic://node:9833`; undefined without a standstill. */
  get reason(): string | undefined {
    return this.#found?.reason
  }

  /** Restarts the count of expected shares, after an accepted share or a change of the source. */
  restart(expectedSeals: number): void {
    this.#countsFrom = { at: this.#clock.now(), expectedSeals }
    if (this.kind === "no_share_accepted") this.#found = undefined
  }

  /** Updates the standstill and logs a warning when it begins and every ten minutes. */
  check(standing: Standing): void {
    this.#found = this.#find(standing)
    for (const kind of STANDSTILL_KINDS) if (kind !== this.kind) this.#warnedAt.delete(kind)
    if (!this.#found) return
    const { kind, reason } = this.#found
    const now = this.#clock.now()
    if (now - (this.#warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return
    this.#warnedAt.set(kind, now)
    this.#log.warn(reason)
  }

  #find({ hasJob, isPaused, progressAt, source, problem, expectedSeals }: Standing): Finding | undefined {
    if (isPaused) return undefined
    const now = this.#clock.now()
    const idleMs = now - progressAt
    const countedMs = now - this.#countsFrom.at
    const expected = expectedSeals - this.#countsFrom.expectedSeals
    if (!hasJob && idleMs >= IDLE_MS) {
      const why = problem === undefined ? "" : ` (${problem})`
      return { kind: "no_job", reason: `idle for ${seconds(idleMs)}: no job from ${source}${why}` }
    }
    if (expected < MAX_EXPECTED || countedMs < NO_SHARE_MS) return undefined
    const reason = `no share accepted by ${source} for ${seconds(countedMs)}: ${expected.toFixed(1)} were expected`
    return { kind: "no_share_accepted", reason }
  }
}

interface Finding {
  readonly kind: StandstillKind
  readonly reason: string
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`
