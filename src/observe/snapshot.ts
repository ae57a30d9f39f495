/** Everything a person or a monitor can see of the miner at one moment, as plain values. */
import type { EffectiveCpus } from "../host/effective-cpus.ts"
import type { DisconnectReason, JobOutcome, Verdict } from "../sources/source.ts"
import type { Rates } from "./hash-rate.ts"
import type { StandstillKind } from "./standstill.ts"

export type SealResult = Verdict["result"]

export const SEAL_RESULTS: readonly SealResult[] = ["sent", "accepted", "rejected", "stale", "lost"]

export const JOB_OUTCOMES: readonly JobOutcome[] = ["completed", "failed", "cancelled"]

/** What became of a request to the HTTP job API. */
export type MineResult = "accepted" | "duplicate" | "invalid" | "error"

/** The CPUs that the process may use, as far as they are shown. */
export type CpuSnapshot = Pick<EffectiveCpus, "count" | "decidedBy"> & Partial<Pick<EffectiveCpus, "mask">>

/** What is known of a unit besides its counters; all of it optional, since machines differ in what they tell. */
export interface UnitDetails {
  /** The logical CPU a worker is pinned to. */
  readonly cpu?: number | undefined
  /** The device's own name: `NVIDIA GeForce RTX 4090`. */
  readonly name?: string | undefined
  /** PCI address: `0000:65:00.0`. */
  readonly pci?: string | undefined
  readonly temperatureCelsius?: number | undefined
  /** 0 … 100. */
  readonly fanPercent?: number | undefined
  readonly powerWatts?: number | undefined
  readonly clockHertz?: number | undefined
  readonly memoryClockHertz?: number | undefined
}

export interface UnitSnapshot extends UnitDetails {
  /** `avx2/0`, `cuda/0`. */
  readonly id: string
  readonly kind: "cpu" | "gpu"
  readonly engine: string
  /** The part of the id behind the engine's name. */
  readonly index: string
  readonly hashes: bigint
  readonly rates: Rates
  readonly restarts: number
  /** Seals of this unit, whatever became of them. */
  readonly seals: number
  /** Candidates of this unit that the reference did not confirm. */
  readonly mismatches: number
  /** Whether it has something to search. */
  readonly busy: boolean
  /** Hashes for each joule of energy, where power is known. */
  readonly hashesPerJoule: number | undefined
}

export interface JobSnapshot {
  readonly id: string
  readonly source: string
  readonly difficulty: bigint
  /** 64 hex digits. */
  readonly header: string
  readonly ageSeconds: number
}

export interface SourceSnapshot {
  /** Its URL without credentials. */
  readonly name: string
  /** Whether the engines search its jobs now. */
  readonly active: boolean
  readonly up: boolean
  /** Seconds since it went up or down; undefined for one that has not been tried yet. */
  readonly sinceSeconds: number | undefined
  /** Connections lost and attempts failed, by reason. */
  readonly reconnects: Readonly<Partial<Record<DisconnectReason, number>>>
  /** How often mining went over to this source from another. */
  readonly switches: number
  readonly seals: Readonly<Record<SealResult, number>>
  /** Why the last connection or attempt failed, while it is down. */
  readonly problem: string | undefined
}

/** A seal that was found, for people; the last few are kept. */
export interface RecentSeal {
  readonly agoSeconds: number
  readonly source: string
  readonly unit: string
  readonly job: string
  readonly difficulty: bigint
  readonly result: SealResult
  /** A pool's reason for a rejection. */
  readonly reason: string | undefined
}

export interface Snapshot {
  readonly version: string
  readonly uptimeSeconds: number
  /** Names of the engines that have units, in order of appearance. */
  readonly engines: readonly string[]
  readonly hashes: bigint
  /** Seals that perfect average luck would have found: Σ hashes ÷ difficulty. */
  readonly expectedSeals: number
  readonly rates: Rates
  /** `undefined` where there is no unit of the kind. */
  readonly cpuRates: Rates | undefined
  readonly gpuRates: Rates | undefined
  readonly units: readonly UnitSnapshot[]
  readonly restarts: number
  readonly mismatches: number
  readonly job: JobSnapshot | undefined
  readonly jobs: Readonly<Record<JobOutcome, number>>
  /** The sources in order of preference. */
  readonly sources: readonly SourceSnapshot[]
  /** Over all sources. */
  readonly seals: Readonly<Record<SealResult, number>>
  /** Newest first. */
  readonly recentSeals: readonly RecentSeal[]
  readonly cpus: CpuSnapshot | undefined
  /** How the miner earns nothing: no job for a minute, or no accepted share against expectation. */
  readonly standstill: StandstillKind | undefined
  /** Why the miner is not earning at this moment; undefined while it is connected and hashing. */
  readonly notReady: string | undefined
}

/** Seals that counted as far as is known: a node never answers, so what was sent to it counts. */
export function goodSeals(seals: Readonly<Record<SealResult, number>>): number {
  return seals.sent + seals.accepted
}
