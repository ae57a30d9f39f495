/**
 * Every metric, declared once. Names that upstream defines are kept (protocol §5). Rates cover the last ten seconds and
 * are absent before; a series disappears with its unit or source.
 */
import { PAUSE_REASONS } from "../miner/pauses.ts"
import type { DisconnectReason } from "../sources/source.ts"
import { GPU_PAUSE_REASONS, JOB_OUTCOMES, SEAL_RESULTS, type Snapshot, type UnitSnapshot } from "./snapshot.ts"
import { STANDSTILL_KINDS } from "./standstill.ts"
import type { Quantity } from "./stats.ts"

export interface Metric {
  readonly type: "counter" | "gauge"
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  read(now: Snapshot): readonly Series[]
}

/** Label values in the order of `labels`, and the value; undefined if the series is absent. */
export type Series = readonly [labels: readonly (string | number)[], value: number | undefined]

export interface HistogramMetric {
  readonly name: string
  readonly help: string
  /** What is observed; see `Stats.observe`. */
  readonly quantity: Quantity
  /** Inclusive upper bounds of the buckets, ascending. */
  readonly buckets: readonly number[]
}

export const HISTOGRAMS: readonly HistogramMetric[] = [
  {
    name: "miner_job_switch_seconds",
    help: "Seconds from the assignment of a job until a worker searches it.",
    quantity: "switchSeconds",
    // From a CPU kernel's polling interval, a few hundred microseconds, to a long GPU launch.
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  },
  {
    name: "miner_seal_latency_seconds",
    help: "Seconds from finding a nonce to the verdict on its seal.",
    quantity: "sealLatencySeconds",
    // From a local node to a pool on a slow connection.
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
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

export const METRICS: readonly Metric[] = [
  metric(
    "gauge",
    "miner_build_info",
    "Version, runtime, engines and name; always 1.",
    ["version", "bun", "engine", "name"],
    now => [[[now.version, Bun.version, now.engines.join("+") || "none", now.name], 1]],
  ),
  metric("gauge", "miner_ready", "1 while connected and hashing, or paused; otherwise 0.", now =>
    now.notReady === undefined ? 1 : 0,
  ),
  metric(
    "gauge",
    "miner_standstill",
    "1 while this reason stops the miner from earning, otherwise 0.",
    ["reason"],
    now => STANDSTILL_KINDS.map(reason => [[reason], now.standstill === reason ? 1 : 0]),
  ),
  metric("gauge", "miner_paused", "1 while mining is paused for this reason, otherwise 0.", ["reason"], now =>
    PAUSE_REASONS.map(reason => [[reason], now.pauses.includes(reason) ? 1 : 0]),
  ),

  metric("gauge", "miner_effective_cpus", "CPUs available to this process after cpuset, affinity and quota.", now => {
    return now.cpus?.count
  }),
  metric("gauge", "miner_workers", "CPU workers and GPU devices.", now => now.units.length),
  metric("gauge", "miner_cpu_workers", "CPU workers.", now => unitsOf("cpu", now).length),
  metric("gauge", "miner_gpu_devices", "GPU devices.", now => unitsOf("gpu", now).length),

  metric("counter", "miner_hashes_total", "Nonces tested.", now => Number(now.hashes)),
  metric("gauge", "miner_hash_rate", "Hashes per second over the last 10 s.", now => now.rates.tenSeconds),
  metric("gauge", "miner_cpu_hash_rate", "Hashes per second of the CPU workers over the last 10 s.", now => {
    return now.cpuRates?.tenSeconds
  }),
  metric("gauge", "miner_gpu_hash_rate", "Hashes per second of the GPU devices over the last 10 s.", now => {
    return now.gpuRates?.tenSeconds
  }),
  ofThreads("counter", "miner_thread_hashes_total", "Nonces tested by a worker or device.", unit => {
    return Number(unit.hashes)
  }),
  ofThreads("gauge", "miner_thread_hash_rate", "Hashes per second of a worker or device over the last 10 s.", unit => {
    return unit.rates.tenSeconds
  }),
  metric("counter", "miner_worker_restarts_total", "Workers and devices replaced after a crash or hang.", now => {
    return now.restarts
  }),
  ofThreads(
    "counter",
    "miner_candidate_mismatches_total",
    "Candidates of a worker or device that failed verification.",
    unit => unit.mismatches,
  ),

  metric("gauge", "miner_active_jobs", "Jobs being searched.", now => (now.job ? 1 : 0)),
  metric("gauge", "miner_job_difficulty", "Difficulty of the job being searched.", now => {
    return now.job && Number(now.job.difficulty)
  }),
  metric("gauge", "miner_job_age_seconds", "Seconds since the job being searched arrived.", now => now.job?.ageSeconds),
  metric("counter", "miner_jobs_total", "Jobs ended, by outcome.", ["status"], now =>
    JOB_OUTCOMES.map(status => [[status], now.jobs[status]]),
  ),
  metric(
    "counter",
    "miner_expected_seals_total",
    "Statistically expected seals: the sum of hashes divided by difficulty.",
    now => now.expectedSeals,
  ),

  metric(
    "gauge",
    "miner_expected_seconds_per_seal",
    "Mean time to a seal at the present rate and difficulty.",
    now => now.expectation.secondsPerSeal,
  ),
  metric(
    "gauge",
    "miner_seals_probability",
    "Probability of finding at most, or at least, this number of seals by chance since the start.",
    ["tail"],
    ({ expectation: { probabilityOfSoFew, probabilityOfSoMany } }) => [
      [["few"], probabilityOfSoFew],
      [["many"], probabilityOfSoMany],
    ],
  ),

  metric("gauge", "miner_connection_up", "1 while connected to the source, otherwise 0.", ["source"], now =>
    now.sources.map(({ name, up }) => [[name], up ? 1 : 0]),
  ),
  metric(
    "counter",
    "miner_reconnects_total",
    "Lost connections and failed attempts, by reason.",
    ["source", "reason"],
    now =>
      now.sources.flatMap(({ name, reconnects }) =>
        DISCONNECT_REASONS.map((reason): Series => [[name, reason], reconnects[reason] ?? 0]),
      ),
  ),
  metric("counter", "miner_source_switches_total", "Switches to this source from another.", ["source"], now =>
    now.sources.map(({ name, switches }) => [[name], switches]),
  ),
  metric("counter", "miner_seals_total", "Seals found, by result.", ["source", "result"], now =>
    now.sources.flatMap(({ name, seals }) => SEAL_RESULTS.map((result): Series => [[name, result], seals[result]])),
  ),

  metric("counter", "miner_mine_requests_total", "Requests to the job API, by result.", ["result"], now =>
    Object.entries(now.mineRequests).map(([result, count]) => [[result], count]),
  ),
  metric("counter", "miner_http_requests_total", "HTTP requests answered.", ["endpoint", "code"], now =>
    now.httpRequests.map(({ endpoint, code, count }) => [[endpoint, code], count]),
  ),

  metric("gauge", "miner_cpu_power_watts", "Power of all CPU packages, other programs included.", now => {
    return now.cpuPowerWatts
  }),
  metric("gauge", "miner_hashes_per_joule", "Hashes per joule of CPUs and GPUs together.", now => now.hashesPerJoule),
  metric("gauge", "miner_gpu_info", "Name and PCI address of a device; always 1.", ["device", "name", "pci"], now =>
    unitsOf("gpu", now).map(({ id, name = "", pci = "" }) => [[id, name, pci], 1]),
  ),
  metric(
    "gauge",
    "miner_gpu_paused",
    "1 while a device is paused for this reason, otherwise 0.",
    ["device", "reason"],
    now =>
      unitsOf("gpu", now).flatMap(device =>
        GPU_PAUSE_REASONS.map((reason): Series => [[device.id, reason], device.pausedFor === reason ? 1 : 0]),
      ),
  ),
  ofDevices("miner_gpu_temperature_celsius", "Temperature of a device.", device => device.temperatureCelsius),
  ofDevices("miner_gpu_fan_percent", "Fan speed of a device, 0 to 100.", device => device.fanPercent),
  ofDevices("miner_gpu_power_watts", "Power draw of a device.", device => device.powerWatts),
  ofDevices("miner_gpu_clock_hertz", "Core clock of a device.", device => device.clockHertz),
  ofDevices("miner_gpu_memory_clock_hertz", "Memory clock of a device.", device => device.memoryClockHertz),
  ofDevices("miner_gpu_hashes_per_joule", "Hashes per joule of a device.", device => device.hashesPerJoule),

  metric("counter", "process_cpu_seconds_total", "User and system CPU time of all threads, in seconds.", now => {
    return now.process.cpuSeconds
  }),
  metric("gauge", "process_resident_memory_bytes", "Resident memory, in bytes.", now => now.process.residentBytes),
  metric("gauge", "process_start_time_seconds", "Start of the process, in seconds since the epoch.", now => {
    return now.process.startedAt
  }),
  metric("gauge", "process_open_fds", "Open file descriptors.", now => now.process.openFiles),
  metric("gauge", "process_max_fds", "Maximum number of open file descriptors.", now => now.process.maxOpenFiles),
]

/** Name and labels of the miner; the names of its labels are the operator's. */
export function infoMetric(labels: Readonly<Record<string, string>>): Metric {
  const names = Object.keys(labels)
  return metric(
    "gauge",
    "miner_info",
    "Name and labels of this miner, for joins; always 1.",
    ["name", ...names],
    now => [[[now.name, ...names.map(name => now.labels[name] ?? "")], 1]],
  )
}

type Type = Metric["type"]
type Read<T> = (now: Snapshot) => T

function metric(type: Type, name: string, help: string, read: Read<number | undefined>): Metric
function metric(
  type: Type,
  name: string,
  help: string,
  labels: readonly string[],
  read: Read<readonly Series[]>,
): Metric
function metric(
  type: Type,
  name: string,
  help: string,
  labels: readonly string[] | Read<number | undefined>,
  read?: Read<readonly Series[]>,
): Metric {
  return typeof labels === "function"
    ? { type, name, help, labels: [], read: now => [[[], labels(now)]] }
    : { type, name, help, labels, read: read! }
}

/** A metric with one series per worker and device. */
function ofThreads(type: Type, name: string, help: string, read: (unit: UnitSnapshot) => number | undefined): Metric {
  return metric(type, name, help, ["engine", "thread_id"], now =>
    now.units.map(unit => [[unit.engine, unit.index], read(unit)]),
  )
}

/** A sensor reading with one series per device. */
function ofDevices(name: string, help: string, read: (device: UnitSnapshot) => number | undefined): Metric {
  return metric("gauge", name, help, ["device"], now => unitsOf("gpu", now).map(device => [[device.id], read(device)]))
}

function unitsOf(kind: UnitSnapshot["kind"], { units }: Snapshot): readonly UnitSnapshot[] {
  return units.filter(unit => unit.kind === kind)
}
