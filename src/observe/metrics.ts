/**
 * The Prometheus exposition of a `Stats`. This module loads prom-client: import it only if metrics are served. Names
 * that upstream defines are kept (protocol §5). Rates cover the last ten seconds and are absent before; a series
 * disappears with its unit or source.
 */
import { Counter, Gauge, type Metric, Registry, type RegistryContentType } from "prom-client"
import { PAUSE_REASONS } from "../miner/pauses.ts"
import type { DisconnectReason } from "../sources/source.ts"
import type { Distribution } from "./distribution.ts"
import { type ProcessMetric, processMetrics } from "./process-metrics.ts"
import { JOB_OUTCOMES, SEAL_RESULTS, type Snapshot, type UnitSnapshot } from "./snapshot.ts"
import { STANDSTILL_KINDS } from "./standstill.ts"
import type { Stats } from "./stats.ts"

export type MetricsFormat = "prometheus" | "openmetrics"

export interface Exposition {
  readonly contentType: string
  /** The text of one scrape. */
  render(): Promise<string>
}

/** A labelled value; undefined if the series is absent. */
type Series<Label extends string> = readonly [
  labels: Readonly<Record<Label, string | number>>,
  value: number | undefined,
]

const DISCONNECT_REASONS: readonly DisconnectReason[] = [
  "closed",
  "timeout",
  "refused",
  "unreachable",
  "protocol",
  "handshake",
  "rejected",
]

/** Each format needs a dedicated registry, because prom-client renames counters for OpenMetrics in place. */
export function createExposition(
  stats: Stats,
  format: MetricsFormat,
  ofProcess: readonly ProcessMetric[] = processMetrics(),
): Exposition {
  const contentType = format === "openmetrics" ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE
  const registry = new Registry<RegistryContentType>()
  registry.setContentType(contentType)
  const scrape = new Scrape(registry, stats)
  registerHashes(scrape)
  registerJobs(scrape, stats)
  registerSources(scrape)
  registerDevices(scrape)
  for (const { type, name, help, read } of ofProcess) scrape[type](name, help, read)
  return { contentType, render: () => scrape.render() }
}

/** Registers metrics; all metrics of a scrape are read from one snapshot. */
class Scrape {
  readonly #registry: Registry<RegistryContentType>
  readonly #stats: Stats
  #snapshot: Snapshot

  constructor(registry: Registry<RegistryContentType>, stats: Stats) {
    this.#registry = registry
    this.#stats = stats
    this.#snapshot = stats.snapshot()
  }

  render(): Promise<string> {
    this.#snapshot = this.#stats.snapshot()
    return this.#registry.metrics()
  }

  gauge(name: string, help: string, read: (now: Snapshot) => number | undefined): void {
    this.gauges(name, help, [], now => [[{}, read(now)]])
  }

  gauges<L extends string>(name: string, help: string, labels: L[], read: (now: Snapshot) => Series<L>[]): void {
    const snapshot = () => this.#snapshot
    new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset()
        // `reset` sets an unlabelled gauge to zero, but an unknown value must be absent.
        if (labels.length === 0) this.remove()
        for (const [of, value] of read(snapshot())) if (value !== undefined) this.set(of, value)
      },
    })
  }

  counter(name: string, help: string, read: (now: Snapshot) => number | undefined): void {
    this.counters(name, help, [], now => [[{}, read(now)]])
  }

  counters<L extends string>(name: string, help: string, labels: L[], read: (now: Snapshot) => Series<L>[]): void {
    const snapshot = () => this.#snapshot
    new Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const [of, value] of read(snapshot())) if (value !== undefined) this.inc(of, value)
      },
    })
  }

  /** prom-client's histogram only accepts single observations; these were counted before it was loaded. */
  histogram(name: string, help: string, distribution: Distribution): void {
    const get = async () => {
      const { bounds, cumulative, count, sum } = distribution
      const buckets = [...bounds.map((le, at) => ({ le, value: cumulative[at] })), { le: "+Inf", value: count }]
      const values = buckets.map(({ le, value }) => ({ metricName: `${name}_bucket`, labels: { le }, value }))
      const totals = Object.entries({ sum, count }).map(([suffix, value]) => {
        return { metricName: `${name}_${suffix}`, labels: {}, value }
      })
      return { name, help, type: "histogram", aggregator: "sum", values: [...values, ...totals] }
    }
    this.#registry.registerMetric({ name, get } as unknown as Metric)
  }
}

function registerHashes(scrape: Scrape): void {
  const threads = (read: (unit: UnitSnapshot) => number | undefined) => (now: Snapshot) =>
    now.units.map(unit => [{ engine: unit.engine, thread_id: unit.index }, read(unit)] as const)
  const thread: ("engine" | "thread_id")[] = ["engine", "thread_id"]

  scrape.gauges("miner_build_info", "Version, runtime and engines; always 1.", ["version", "bun", "engine"], now => [
    [{ version: now.version, bun: Bun.version, engine: now.engines.join("+") || "none" }, 1],
  ])
  scrape.gauge("miner_ready", "1 while connected and hashing, or paused; otherwise 0.", now =>
    now.notReady === undefined ? 1 : 0,
  )
  scrape.gauges("miner_standstill", "1 while this reason stops the miner from earning, otherwise 0.", ["reason"], now =>
    STANDSTILL_KINDS.map(reason => [{ reason }, now.standstill === reason ? 1 : 0]),
  )
  scrape.gauges("miner_paused", "1 while mining is paused for this reason, otherwise 0.", ["reason"], now =>
    PAUSE_REASONS.map(reason => [{ reason }, now.pauses.includes(reason) ? 1 : 0]),
  )
  scrape.gauge(
    "miner_effective_cpus",
    "CPUs available to this process after cpuset, affinity and quota.",
    now => now.cpus?.count,
  )
  scrape.gauge("miner_workers", "CPU workers and GPU devices.", now => now.units.length)
  scrape.gauge("miner_cpu_workers", "CPU workers.", now => now.units.filter(unit => unit.kind === "cpu").length)
  scrape.gauge("miner_gpu_devices", "GPU devices.", now => now.units.filter(unit => unit.kind === "gpu").length)

  scrape.counter("miner_hashes_total", "Nonces tested.", now => Number(now.hashes))
  scrape.gauge("miner_hash_rate", "Hashes per second over the last 10 s.", now => now.rates.tenSeconds)
  scrape.gauge("miner_cpu_hash_rate", "Hashes per second of the CPU workers over the last 10 s.", now => {
    return now.cpuRates?.tenSeconds
  })
  scrape.gauge("miner_gpu_hash_rate", "Hashes per second of the GPU devices over the last 10 s.", now => {
    return now.gpuRates?.tenSeconds
  })
  scrape.counters(
    "miner_thread_hashes_total",
    "Nonces tested by a worker or device.",
    thread,
    threads(unit => Number(unit.hashes)),
  )
  scrape.gauges(
    "miner_thread_hash_rate",
    "Hashes per second of a worker or device over the last 10 s.",
    thread,
    threads(unit => unit.rates.tenSeconds),
  )
  scrape.counter("miner_worker_restarts_total", "Workers and devices replaced after a crash or hang.", now => {
    return now.restarts
  })
  scrape.counters(
    "miner_candidate_mismatches_total",
    "Candidates of a worker or device that failed verification.",
    thread,
    threads(unit => unit.mismatches),
  )
}

function registerJobs(scrape: Scrape, stats: Stats): void {
  scrape.gauge("miner_active_jobs", "Jobs being searched.", now => (now.job ? 1 : 0))
  scrape.gauge(
    "miner_job_difficulty",
    "Difficulty of the job being searched.",
    now => now.job && Number(now.job.difficulty),
  )
  scrape.gauge("miner_job_age_seconds", "Seconds since the job being searched arrived.", now => now.job?.ageSeconds)
  scrape.counters("miner_jobs_total", "Jobs ended, by outcome.", ["status"], now =>
    JOB_OUTCOMES.map(status => [{ status }, now.jobs[status]]),
  )
  scrape.counter(
    "miner_expected_seals_total",
    "Statistically expected seals: the sum of hashes divided by difficulty.",
    now => now.expectedSeals,
  )
  scrape.histogram(
    "miner_job_switch_seconds",
    "Seconds from the assignment of a job until a worker searches it.",
    stats.switchSeconds,
  )
  scrape.histogram(
    "miner_seal_latency_seconds",
    "Seconds from finding a nonce to the verdict on its seal.",
    stats.sealLatencySeconds,
  )
  scrape.counters("miner_mine_requests_total", "Requests to the job API, by result.", ["result"], () =>
    Object.entries(stats.mineRequests).map(([result, count]) => [{ result }, count]),
  )
  scrape.counters("miner_http_requests_total", "HTTP requests answered.", ["endpoint", "code"], () =>
    stats.httpRequests.map(({ endpoint, code, count }) => [{ endpoint, code }, count]),
  )
}

function registerSources(scrape: Scrape): void {
  scrape.gauges("miner_connection_up", "1 while connected to the source, otherwise 0.", ["source"], now =>
    now.sources.map(({ name, up }) => [{ source: name }, up ? 1 : 0]),
  )
  scrape.counters(
    "miner_reconnects_total",
    "Lost connections and failed attempts, by reason.",
    ["source", "reason"],
    now =>
      now.sources.flatMap(({ name, reconnects }) =>
        DISCONNECT_REASONS.map(reason => [{ source: name, reason }, reconnects[reason] ?? 0] as const),
      ),
  )
  scrape.counters("miner_source_switches_total", "Switches to this source from another.", ["source"], now =>
    now.sources.map(({ name, switches }) => [{ source: name }, switches]),
  )
  scrape.counters("miner_seals_total", "Seals found, by result.", ["source", "result"], now =>
    now.sources.flatMap(({ name, seals }) =>
      SEAL_RESULTS.map(result => [{ source: name, result }, seals[result]] as const),
    ),
  )
}

function registerDevices(scrape: Scrape): void {
  const devices = (now: Snapshot) => now.units.filter(unit => unit.kind === "gpu")
  scrape.gauges("miner_gpu_info", "Name and PCI address of a device; always 1.", ["device", "name", "pci"], now =>
    devices(now).map(({ id, name = "", pci = "" }) => [{ device: id, name, pci }, 1]),
  )
  const sensor = (name: string, help: string, read: (device: UnitSnapshot) => number | undefined) =>
    scrape.gauges(name, help, ["device"], now => devices(now).map(device => [{ device: device.id }, read(device)]))
  sensor("miner_gpu_temperature_celsius", "Temperature of a device.", device => device.temperatureCelsius)
  sensor("miner_gpu_fan_percent", "Fan speed of a device, 0 to 100.", device => device.fanPercent)
  sensor("miner_gpu_power_watts", "Power draw of a device.", device => device.powerWatts)
  sensor("miner_gpu_clock_hertz", "Core clock of a device.", device => device.clockHertz)
  sensor("miner_gpu_memory_clock_hertz", "Memory clock of a device.", device => device.memoryClockHertz)
  sensor("miner_gpu_hashes_per_joule", "Hashes per joule of a device.", device => device.hashesPerJoule)
}
