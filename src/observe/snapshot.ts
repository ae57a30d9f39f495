/** The observable state of the miner at one moment, as plain values. */
import type { EffectiveCpus } from "../host/effective-cpus.ts"
import type { PauseReason } from "../miner/pauses.ts"
import type { DisconnectReason, JobOutcome, Verdict } from "../sources/source.ts"
import type { Rates } from "./hash-rate.ts"
import type { ProcessSnapshot } from "./process-snapshot.ts"
import type { StandstillKind } from "./standstill.ts"

export type SealResult = Verdict["result"]

export const SEAL_RESULTS: readonly SealResult[] = ["sent", "accepted", "rejected", "stale", "lost"]

export const JOB_OUTCOMES: readonly JobOutcome[] = ["completed", "failed", "cancelled"]

/** The result of a request to the HTTP job API. */
export type MineResult = "accepted" | "duplicate" | "invalid" | "error"

/** The CPUs that the process may use. */
export type CpuSnapshot = Pick<EffectiveCpus, "count" | "decidedBy"> & Partial<Pick<EffectiveCpus, "mask">>

/** Properties and sensor readings of a unit; undefined where the machine does not report them. */
export interface UnitDetails {
  /** Logical CPU of the worker's affinity. */
  readonly cpu?: number | undefined
  /** Name of the device: `NVIDIA GeForce RTX 4090`. */
  readonly name?: string | undefined
  /** PCI address: `0000:65:00.0`. */
  readonly pci?: string | undefined
  readonly temperatureCelsius?: number | undefined
  /** 0 to 100. */
  readonly fanPercent?: number | undefined
  readonly powerWatts?: number | undefined
  readonly clockHertz?: number | undefined
  readonly memoryClockHertz?: number | undefined
  /** Why the device is paused; undefined while it is not, or for a worker. */
  readonly pausedFor?: GpuPauseReason | undefined
}

/** Reasons for pausing one device. */
export const GPU_PAUSE_REASONS = ["temperature"] as const

export type GpuPauseReason = (typeof GPU_PAUSE_REASONS)[number]

export interface UnitSnapshot extends UnitDetails {
  /** `avx2/0`, `cuda/0`. */
  readonly id: string
  readonly kind: "cpu" | "gpu"
  readonly engine: string
  /** The part of the id after the engine's name. */
  readonly index: string
  readonly hashes: bigint
  readonly rates: Rates
  readonly restarts: number
  /** Seals of this unit with any verdict. */
  readonly seals: number
  /** Candidates of this unit that failed verification. */
  readonly mismatches: number
  /** Whether it has work. */
  readonly busy: boolean
  /** Undefined if power or rate is unknown. */
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
  /** The URL without credentials. */
  readonly name: string
  /** Whether the current or most recent job came from it. */
  readonly active: boolean
  readonly up: boolean
  /** Seconds since it went up or down; undefined before the first attempt. */
  readonly sinceSeconds: number | undefined
  /** Lost connections and failed attempts, by reason. */
  readonly reconnects: Readonly<Partial<Record<DisconnectReason, number>>>
  /** Switches to this source from another. */
  readonly switches: number
  readonly seals: Readonly<Record<SealResult, number>>
  /** Why the last connection or attempt failed; undefined while it is up. */
  readonly problem: string | undefined
}

/** One of the most recent seals. */
export interface RecentSeal {
  readonly agoSeconds: number
  readonly source: string
  readonly unit: string
  readonly job: string
  readonly difficulty: bigint
  readonly result: SealResult
  /** The pool's reason; undefined unless rejected. */
  readonly reason: string | undefined
}

/** HTTP requests answered with one status code at one endpoint. */
export interface HttpRequests {
  readonly endpoint: string
  readonly code: number
  readonly count: number
}

/** Whether results agree with the hashes tested. */
export interface Expectation {
  /** Mean time to a seal at the present rate and difficulty; undefined without a job or a rate. */
  readonly secondsPerSeal: number | undefined
  /** Seals found since the start, whatever their result. */
  readonly found: number
  /** Statistically expected seals for the hashes since the start: Σ hashes ÷ difficulty. */
  readonly expected: number
  /** Probability of finding at most as many by chance; a fault is likely if it is tiny. */
  readonly probabilityOfSoFew: number
  /** Probability of finding at least as many by chance. */
  readonly probabilityOfSoMany: number
}

/** Everything that metrics, page, status line and rig monitors show, except the observations of histograms. */
export interface Snapshot {
  readonly version: string
  /** The miner's name: `--name`, or the host name. */
  readonly name: string
  /** Labels of this miner for joins: `--label`. */
  readonly labels: Readonly<Record<string, string>>
  readonly expectation: Expectation
  /** Power of all CPU packages, of which other programs use a part; undefined if it cannot be read. */
  readonly cpuPowerWatts: number | undefined
  /** Of everything that mines, as far as its power is known: the CPU workers' and all GPUs' power must be. */
  readonly hashesPerJoule: number | undefined
  readonly uptimeSeconds: number
  /** Names of the engines that have units, in order of appearance. */
  readonly engines: readonly string[]
  readonly hashes: bigint
  /** Statistically expected seals: Σ hashes ÷ difficulty. */
  readonly expectedSeals: number
  readonly rates: Rates
  /** Undefined without a unit of the kind. */
  readonly cpuRates: Rates | undefined
  readonly gpuRates: Rates | undefined
  readonly units: readonly UnitSnapshot[]
  readonly restarts: number
  readonly mismatches: number
  readonly job: JobSnapshot | undefined
  readonly jobs: Readonly<Record<JobOutcome, number>>
  /** The sources in order of preference. */
  readonly sources: readonly SourceSnapshot[]
  /** Sum over all sources. */
  readonly seals: Readonly<Record<SealResult, number>>
  /** Newest first. */
  readonly recentSeals: readonly RecentSeal[]
  readonly cpus: CpuSnapshot | undefined
  /** Requests to the HTTP job API, by result. */
  readonly mineRequests: Readonly<Record<MineResult, number>>
  readonly httpRequests: readonly HttpRequests[]
  readonly process: ProcessSnapshot
  /** Why the miner earns nothing: no job for a minute, or no accepted share although shares were expected. */
  readonly standstill: StandstillKind | undefined
  /** Why the miner is paused; empty while it is not. */
  readonly pauses: readonly PauseReason[]
  /** Why the miner is not mining; undefined while it is connected and hashing, or paused. */
  readonly notReady: string | undefined
}

/** The body of `/api/snapshot`. */
export interface HostSnapshot extends Snapshot {
  readonly hostname: string
}

/** A value after its transfer as JSON, in which BigInts are decimal strings. */
export type Json<T> = T extends bigint
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Json<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Json<T[Key]> }
      : T

/** Seals accepted by a pool or sent to a node. A node sends no verdict. */
export function goodSeals(seals: Readonly<Record<SealResult, number>>): number {
  return seals.sent + seals.accepted
}
