/** Notices a miner that earns nothing: it has no job, or no share of its work is accepted. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"

/** Bounded, for a metric's label. */
export const STANDSTILL_KINDS = ["no_job", "no_share_accepted"] as const

export type StandstillKind = (typeof STANDSTILL_KINDS)[number]

export interface Standing {
  /** Clock milliseconds at which a nonce was last tested, or at which the miner started. */
  readonly progressAt: number
  /** Whether there is a job to search. A job that was sealed and awaits its successor is none. */
  readonly hasJob: boolean
  /** The source of the job; without a job, all sources. */
  readonly source: string
  /** Why that source is down, if it is. */
  readonly problem: string | undefined
  /** Seals that average luck would have found since the start. */
  readonly expectedSeals: number
}

const IDLE_MS = 60_000

/** Ten expected shares with none accepted are bad luck once in 22,000 times. */
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

  /** The kind of the standstill, undefined while there is none. */
  get kind(): StandstillKind | undefined {
    return this.#found?.kind
  }

  /** `idle for 60 s: no job from quic://node:9833`; undefined while there is no standstill. */
  get reason(): string | undefined {
    return this.#found?.reason
  }

  /** A share was accepted, or another source's shares are counted from now on. */
  restart(expectedSeals: number): void {
    this.#countsFrom = { at: this.#clock.now(), expectedSeals }
    if (this.kind === "no_share_accepted") this.#found = undefined
  }

  /** Judges the miner as it is now, and warns of a standstill once and every ten minutes. */
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

  #find({ hasJob, progressAt, source, problem, expectedSeals }: Standing): Finding | undefined {
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
