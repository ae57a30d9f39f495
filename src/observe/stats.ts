/** The statistics of the miner: records its events and provides everything that people and monitors see. */
import { hostname } from "node:os"
import type { Clock } from "../clock.ts"
import type { Unit } from "../engines/engine.ts"
import type { Log } from "../log.ts"
import type { MinerEvents } from "../miner/events.ts"
import type { PauseReason } from "../miner/pauses.ts"
import type { DisconnectReason, Job, JobOutcome, Seal, Verdict } from "../sources/source.ts"
import { CpuPower, type PackageEnergy } from "./cpu-power.ts"
import type { Rates } from "./hash-rate.ts"
import { HISTORY_STEP_MS, History, type RateSeries } from "./history.ts"
import { atLeast, atMost } from "./poisson.ts"
import { type ProcessSnapshot, processReader } from "./process-snapshot.ts"
import {
  type CpuSnapshot,
  type Expectation,
  type HttpRequests,
  type MineResult,
  type RecentSeal,
  SEAL_RESULTS,
  type SealResult,
  type Snapshot,
  type SourceSnapshot,
  type UnitDetails,
  type UnitSnapshot,
} from "./snapshot.ts"
import { Standstill } from "./standstill.ts"
import { UnitMeters } from "./unit-meters.ts"

/** The events that statistics record: those of the miner and those of other parts. */
export interface StatsSink extends MinerEvents {
  /** Registers a source before its first event, so that it is shown as down. Call in order of preference. */
  source(name: string): void
  effectiveCpus(cpus: CpuSnapshot): void
  /** A request to the HTTP job API was answered. */
  mineRequest(result: MineResult): void
  /** An HTTP request was answered. @param endpoint one of a bounded set of routes: `/metrics`, `/result`, `other` */
  httpRequest(endpoint: string, code: number): void
}

export interface StatsOptions {
  readonly clock: Clock
  /** Receives the warnings of a standstill. */
  readonly log: Log
  /** Whether clients post jobs on demand, so that having no job is not a standstill. */
  readonly jobsOnDemand?: boolean
  readonly version: string
  /** Default: the host name. */
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Energy counters of the CPU packages; none by default. */
  readonly readCpuEnergy?: () => readonly PackageEnergy[]
  /** The current units of all engines; called every second and for every snapshot. */
  readonly units: () => readonly Unit[]
  /** Affinity and sensor readings of a unit. Must be cheap: cache sensor readings. */
  readonly details?: (unit: string) => UnitDetails | undefined
  /** Default: reads the resources of this process. */
  readonly readProcess?: () => ProcessSnapshot
}

interface SourceRecord {
  up: boolean
  since: number | undefined
  problem: string | undefined
  switches: number
  readonly reconnects: Partial<Record<DisconnectReason, number>>
  readonly seals: Record<SealResult, number>
}

const SAMPLE_EVERY_MS = 1000
const MAX_RECENT_SEALS = 50

/** The miner counts as not hashing if the hash count has not changed for this long. */
const STALLED_AFTER_MS = 5000

/** A quantity whose single observations matter, for a histogram: durations in seconds. */
export type Quantity =
  /** From the assignment of a work until a unit searches it. */
  | "switchSeconds"
  /** From a candidate's report to the verdict on its seal. */
  | "sealLatencySeconds"

export class Stats implements StatsSink {
  readonly #options: StatsOptions
  readonly #startedAt: number
  readonly #stopSampling: () => void
  readonly #history = new History()
  #samples = 0

  readonly #readProcess: () => ProcessSnapshot
  readonly #meters: UnitMeters
  readonly #standstill: Standstill
  readonly #cpuPower: CpuPower

  readonly #sources = new Map<string, SourceRecord>()
  #activeSource: string | undefined
  #job: Job | undefined
  #jobHadSeal = false
  readonly #jobs: Record<JobOutcome, number> = { completed: 0, failed: 0, cancelled: 0 }
  readonly #recentSeals: { readonly at: number; readonly seal: Omit<RecentSeal, "agoSeconds"> }[] = []
  readonly #unitSeals = new Map<string, number>()
  readonly #restarts = new Map<string, number>()
  readonly #mismatches = new Map<string, number>()
  readonly #httpRequests = new Map<string, HttpRequests & { count: number }>()
  readonly #observers: Record<Quantity, ((value: number) => void)[]> = { switchSeconds: [], sealLatencySeconds: [] }
  readonly #mineRequests: Record<MineResult, number> = { accepted: 0, duplicate: 0, invalid: 0, error: 0 }
  #cpus: CpuSnapshot | undefined
  #pauses: readonly PauseReason[] = []
  /** Clock milliseconds of the last resume; of the start if there was none. */
  #resumedAt: number

  constructor(options: StatsOptions) {
    const { clock } = options
    this.#options = options
    this.#startedAt = clock.now()
    this.#resumedAt = this.#startedAt
    this.#readProcess = options.readProcess ?? processReader()
    this.#meters = new UnitMeters(clock, options.units)
    this.#standstill = new Standstill(clock, options.log)
    this.#cpuPower = new CpuPower(clock, options.readCpuEnergy ?? (() => []))
    this.#sample()
    this.#stopSampling = clock.every(SAMPLE_EVERY_MS, () => this.#sample())
  }

  source(name: string): void {
    this.#source(name)
  }

  connected(source: string): void {
    const record = this.#source(source)
    record.up = true
    record.since = this.#now()
    record.problem = undefined
  }

  disconnected(reason: DisconnectReason, message: string, retryIn: number, source: string): void {
    const record = this.#source(source)
    if (record.up || record.since === undefined) record.since = this.#now()
    record.up = false
    record.problem = message
    if (Number.isFinite(retryIn)) record.reconnects[reason] = (record.reconnects[reason] ?? 0) + 1
  }

  job(job: Job): void {
    const current = this.#job
    if (current?.source === job.source && current.id === job.id) return
    if (current) this.jobEnded(current, this.#jobHadSeal ? "completed" : "cancelled")
    this.#job = job
    this.#jobHadSeal = false
    const source = this.#source(job.source)
    if (this.#activeSource !== undefined && this.#activeSource !== job.source) {
      source.switches += 1
      this.#standstill.restart(this.#meters.expectedSeals)
    }
    this.#activeSource = job.source
  }

  jobEnded(job: Job, outcome: JobOutcome): void {
    if (this.#job?.source !== job.source || this.#job.id !== job.id) return
    this.#job = undefined
    this.#jobs[outcome] += 1
  }

  seal(seal: Seal, verdict: Verdict, latencySeconds: number): void {
    const { job, unit } = seal
    const { result } = verdict
    this.#source(job.source).seals[result] += 1
    this.#observed("sealLatencySeconds", latencySeconds)
    increment(this.#unitSeals, unit)
    if (result === "accepted" || result === "sent") this.#standstill.restart(this.#meters.expectedSeals)
    if (this.#job?.source === job.source && this.#job.id === job.id) this.#jobHadSeal = true
    const reason = verdict.result === "rejected" ? verdict.reason : undefined
    const { source, id, difficulty } = job
    this.#recentSeals.unshift({ at: this.#now(), seal: { source, unit, job: id, difficulty, result, reason } })
    if (this.#recentSeals.length > MAX_RECENT_SEALS) this.#recentSeals.pop()
  }

  switched(_unit: string, _sequence: number, seconds: number): void {
    this.#observed("switchSeconds", seconds)
  }

  restarted(unit: string, _why: string): void {
    increment(this.#restarts, unit)
  }

  mismatch(unit: string): void {
    increment(this.#mismatches, unit)
  }

  paused(reasons: readonly PauseReason[]): void {
    this.#pauses = reasons
    if (reasons.length === 0) this.#resumedAt = this.#now()
  }

  effectiveCpus({ count, mask, decidedBy }: CpuSnapshot): void {
    this.#cpus = { count, mask, decidedBy }
  }

  mineRequest(result: MineResult): void {
    this.#mineRequests[result] += 1
  }

  httpRequest(endpoint: string, code: number): void {
    const key = `${endpoint} ${code}`
    const known = this.#httpRequests.get(key)
    if (known) known.count += 1
    else this.#httpRequests.set(key, { endpoint, code, count: 1 })
  }

  /** Calls `observer` with every observation of a quantity from now on. */
  observe(quantity: Quantity, observer: (value: number) => void): void {
    this.#observers[quantity].push(observer)
  }

  /** The total hash rate of the last `seconds` seconds, at most a day, as at most `points` averages. */
  history(seconds: number, points: number): RateSeries {
    return this.#history.series(seconds, points)
  }

  /** The current state: counters are read now, rates were computed within the last second. */
  snapshot(): Snapshot {
    this.#meters.read()
    const units = this.#options.units().map(unit => this.#unitSnapshot(unit))
    const sources = [...this.#sources].map(([name, record]) => this.#sourceSnapshot(name, record))
    const ratesOf = (kind: Unit["kind"]): Rates | undefined =>
      units.some(unit => unit.kind === kind) ? this.#meters.rates(kind) : undefined
    const rates = this.#meters.rates("all")
    const seals = totalSeals(sources)
    const cpuPowerWatts = this.#cpuPower.watts
    return {
      version: this.#options.version,
      name: this.#options.name ?? hostname(),
      labels: this.#options.labels ?? {},
      expectation: this.#expectation(rates, sum(Object.values(seals))),
      cpuPowerWatts,
      hashesPerJoule: efficiency(units, cpuPowerWatts),
      uptimeSeconds: this.#secondsSince(this.#startedAt),
      engines: [...new Set(units.map(unit => unit.engine))],
      hashes: this.#meters.hashes,
      expectedSeals: this.#meters.expectedSeals,
      rates,
      cpuRates: ratesOf("cpu"),
      gpuRates: ratesOf("gpu"),
      units,
      restarts: sum(this.#restarts.values()),
      mismatches: sum(this.#mismatches.values()),
      job: this.#job && {
        id: this.#job.id,
        source: this.#job.source,
        difficulty: this.#job.difficulty,
        header: this.#job.header.toHex(),
        ageSeconds: this.#secondsSince(this.#job.receivedAt),
      },
      jobs: { ...this.#jobs },
      sources,
      seals,
      recentSeals: this.#recentSeals.map(({ at, seal }) => ({ ...seal, agoSeconds: this.#secondsSince(at) })),
      cpus: this.#cpus,
      mineRequests: { ...this.#mineRequests },
      httpRequests: [...this.#httpRequests.values()].map(requests => ({ ...requests })),
      process: this.#readProcess(),
      standstill: this.#standstill.kind,
      pauses: this.#pauses,
      notReady: this.#notReady(),
    }
  }

  /** Stops sampling; snapshots can still be taken. */
  close(): void {
    this.#stopSampling()
  }

  #sample(): void {
    this.#meters.sample()
    this.#cpuPower.sample()
    if (this.#samples % (HISTORY_STEP_MS / SAMPLE_EVERY_MS) === 0)
      this.#history.add(this.#meters.rates("all").tenSeconds)
    this.#samples += 1
    this.#checkStandstill()
  }

  #checkStandstill(): void {
    if (this.#options.jobsOnDemand) return
    const job = this.#job
    const source = job?.source ?? [...this.#sources.keys()].join(", ")
    this.#standstill.check({
      progressAt: Math.max(this.#meters.progressAt ?? 0, this.#resumedAt),
      isPaused: this.#pauses.length > 0,
      hasJob: job !== undefined && !(this.#jobHadSeal && job.afterSeal === "wait"),
      source: source || "any source",
      problem: [...this.#sources.values()].find(({ problem }) => problem !== undefined)?.problem,
      expectedSeals: this.#meters.expectedSeals,
    })
  }

  #expectation({ tenSeconds }: Rates, found: number): Expectation {
    const { expectedSeals: expected } = this.#meters
    const difficulty = this.#job && Number(this.#job.difficulty)
    return {
      secondsPerSeal: difficulty !== undefined && tenSeconds ? difficulty / tenSeconds : undefined,
      found,
      expected,
      probabilityOfSoFew: atMost(found, expected),
      probabilityOfSoMany: atLeast(found, expected),
    }
  }

  #unitSnapshot(unit: Unit): UnitSnapshot {
    const { id, kind, hashes } = unit
    const separator = id.indexOf("/")
    const details = this.#options.details?.(id)
    const rates = this.#meters.ratesOfUnit(id)
    const { powerWatts } = details ?? {}
    const { tenSeconds } = rates
    return {
      ...details,
      id,
      kind,
      engine: separator < 0 ? id : id.slice(0, separator),
      index: separator < 0 ? "0" : id.slice(separator + 1),
      hashes,
      rates,
      restarts: this.#restarts.get(id) ?? 0,
      seals: this.#unitSeals.get(id) ?? 0,
      mismatches: this.#mismatches.get(id) ?? 0,
      busy: unit.sequence !== 0,
      hashesPerJoule: powerWatts && tenSeconds !== undefined ? tenSeconds / powerWatts : undefined,
    }
  }

  #sourceSnapshot(name: string, record: SourceRecord): SourceSnapshot {
    return {
      name,
      active: name === this.#activeSource,
      up: record.up,
      sinceSeconds: record.since === undefined ? undefined : this.#secondsSince(record.since),
      reconnects: { ...record.reconnects },
      switches: record.switches,
      seals: { ...record.seals },
      problem: record.problem,
    }
  }

  #notReady(): string | undefined {
    if (this.#pauses.length > 0) return undefined
    if (this.#standstill.reason !== undefined) return this.#standstill.reason
    const sources = [...this.#sources]
    if (!sources.some(([, source]) => source.up)) {
      const [name, record] = sources.find(([, source]) => source.problem !== undefined) ?? sources[0] ?? []
      if (name === undefined) return "no source has connected yet"
      return `not connected to ${name}${record?.problem ? `: ${record.problem}` : ""}`
    }
    if (!this.#job) return "connected, waiting for a job"
    const { progressAt } = this.#meters
    if (progressAt === undefined) return "a job was received, but no nonce has been tested yet"
    const idle = this.#now() - Math.max(progressAt, this.#resumedAt)
    return idle > STALLED_AFTER_MS ? `no nonce tested for ${Math.round(idle / 1000)} s` : undefined
  }

  #source(name: string): SourceRecord {
    let record = this.#sources.get(name)
    if (!record) {
      const seals = { sent: 0, accepted: 0, rejected: 0, stale: 0, lost: 0 }
      record = { up: false, since: undefined, problem: undefined, switches: 0, reconnects: {}, seals }
      this.#sources.set(name, record)
    }
    return record
  }

  #observed(quantity: Quantity, value: number): void {
    for (const observer of this.#observers[quantity]) observer(value)
  }

  #now(): number {
    return this.#options.clock.now()
  }

  #secondsSince(time: number): number {
    return (this.#now() - time) / 1000
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

/** Hashes per joule of all units; undefined if the rate or the power of one of them is unknown. */
function efficiency(units: readonly UnitSnapshot[], cpuPowerWatts: number | undefined): number | undefined {
  const cpus = units.some(({ kind }) => kind === "cpu") ? [cpuPowerWatts] : []
  const gpus = units.filter(({ kind }) => kind === "gpu").map(({ powerWatts }) => powerWatts)
  const watts = addUp([...cpus, ...gpus])
  const rate = addUp(units.map(({ rates }) => rates.tenSeconds))
  return watts !== undefined && watts > 0 && rate !== undefined ? rate / watts : undefined
}

/** The sum; undefined if a value is. */
function addUp(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0)
}

function totalSeals(sources: readonly SourceSnapshot[]): Record<SealResult, number> {
  const total = { sent: 0, accepted: 0, rejected: 0, stale: 0, lost: 0 }
  for (const { seals } of sources) for (const result of SEAL_RESULTS) total[result] += seals[result]
  return total
}
