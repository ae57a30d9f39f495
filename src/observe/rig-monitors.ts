/** Formats of existing rig monitors: HiveOS's `h-stats.sh`, mmpOS's `mmp-stats.sh` and xmrig's summary. */
import { freemem, loadavg, totalmem } from "node:os"
import type { Rates } from "./hash-rate.ts"
import { goodSeals, type Snapshot, type UnitSnapshot } from "./snapshot.ts"

/**
 * The body of `/hive-stats`: one entry per device, then one for all CPU workers. HiveOS matches the arrays by position and
 * expects integers for temperatures and fans; unknown values are null.
 *
 * Source: https://github.com/minershive/hiveos-linux/blob/master/hive/miners/custom/README.md
 */
export function hiveStats(snapshot: Snapshot): object {
  const { uptimeSeconds, version, seals, name } = snapshot
  const entries = entriesOf(snapshot)
  return {
    hs: entries.map(({ rate }) => (rate === undefined ? null : Number((rate / 1000).toFixed(3)))),
    hs_units: "khs",
    temp: entries.map(({ device }) => rounded(device?.temperatureCelsius)),
    fan: entries.map(({ device }) => rounded(device?.fanPercent)),
    uptime: Math.floor(uptimeSeconds),
    ver: version,
    name,
    ar: [goodSeals(seals), seals.rejected],
    algo: "quantus",
    bus_numbers: entries.map(({ device }) => busNumber(device?.pci)),
  }
}

/**
 * The body of `/mmpos`, as mmpOS's `mmp-stats.sh` prints it: hashes per second of all CPU workers as `cpu`, then of each device
 * by bus number; `air` counts accepted, invalid and rejected results, as text. Unknown values are null.
 *
 * Source: https://github.com/ddobreff/mmpos/blob/main/CUSTOM_MINER.MD
 */
export function mmposStats(snapshot: Snapshot): object {
  const { version, seals, units } = snapshot
  const { cpus, devices } = Object.groupBy(entriesOf(snapshot), ({ device }) => (device ? "devices" : "cpus"))
  const entries = [...(cpus ?? []), ...(devices ?? [])]
  const invalid = units.reduce((sum, { mismatches }) => sum + mismatches, 0)
  return {
    busid: entries.map(({ device }) => (device ? busNumber(device.pci) : "cpu")),
    hash: entries.map(({ rate }) => rounded(rate)),
    units: "hs",
    air: [goodSeals(seals), invalid, seals.rejected].map(String),
    miner_name: "quantus-miner",
    miner_version: version,
  }
}

interface Entry {
  /** Undefined for the CPU workers together. */
  readonly device?: UnitSnapshot
  /** Hashes per second over ten seconds. */
  readonly rate: number | undefined
}

function entriesOf({ units, cpuRates }: Snapshot): readonly Entry[] {
  const devices = units.filter(unit => unit.kind === "gpu")
  return [
    ...devices.map(device => ({ device, rate: device.rates.tenSeconds })),
    ...(cpuRates ? [{ rate: cpuRates.tenSeconds }] : []),
  ]
}

const rounded = (value: number | undefined): number | null => (value === undefined ? null : Math.round(value))

/** The body of `/2/summary` and `/1/summary`: xmrig's field names where they apply; null if unknown. */
export function xmrigSummary(now: Snapshot, hostname: string): object {
  const { job, rates, seals } = now
  const source = now.sources.find(({ active }) => active) ?? now.sources[0]
  const good = goodSeals(seals)
  const total = Object.values(seals).reduce((sum, count) => sum + count, 0)
  const uptime = Math.floor(now.uptimeSeconds)
  const connected = source?.up ? (source.sinceSeconds ?? 0) : 0
  const averageSeconds = good > 0 ? now.uptimeSeconds / good : 0
  const [oneMinute = 0, fiveMinutes = 0, fifteenMinutes = 0] = loadavg()
  const difficulty = Number(job?.difficulty ?? 0n)
  const failures = now.sources.reduce((sum, { reconnects }) => {
    return sum + Object.values(reconnects).reduce((count, reason) => count + reason, 0)
  }, 0)
  return {
    id: hostname,
    worker_id: now.name,
    uptime,
    restricted: true,
    resources: {
      memory: { free: freemem(), total: totalmem(), resident_set_memory: process.memoryUsage.rss() },
      load_average: [oneMinute, fiveMinutes, fifteenMinutes],
      hardware_concurrency: now.cpus?.count ?? null,
    },
    features: ["api"],
    results: {
      diff_current: difficulty,
      shares_good: good,
      shares_total: total,
      avg_time: Math.round(averageSeconds),
      avg_time_ms: Math.round(averageSeconds * 1000),
      hashes_total: Number(now.hashes),
      best: Array.from({ length: 10 }, () => 0),
    },
    // Not among xmrig's fields: whether the results agree with the hashes tested.
    expectation: {
      seconds_per_seal: now.expectation.secondsPerSeal ?? null,
      seals_expected: now.expectation.expected,
      seals_found: now.expectation.found,
      probability_of_so_few: now.expectation.probabilityOfSoFew,
      probability_of_so_many: now.expectation.probabilityOfSoMany,
    },
    algo: "quantus",
    connection: {
      pool: source?.name ?? "",
      ip: null,
      uptime: Math.floor(connected),
      uptime_ms: Math.floor(connected * 1000),
      ping: 0,
      failures,
      tls: source?.name.startsWith("quic:") || source?.name.startsWith("stratum+tls:") ? "TLSv1.3" : null,
      "tls-fingerprint": null,
      algo: "quantus",
      diff: difficulty,
      accepted: good,
      rejected: seals.rejected,
      avg_time: Math.round(averageSeconds),
      avg_time_ms: Math.round(averageSeconds * 1000),
      hashes_total: Number(now.hashes),
      error_log: source?.problem === undefined ? [] : [source.problem],
    },
    version: now.version,
    kind: "miner",
    ua: `quantus-miner/${now.version}`,
    cpu: { threads: now.cpus?.count ?? null, workers: now.units.filter(unit => unit.kind === "cpu").length },
    donate_level: 0,
    paused: job === undefined || now.pauses.length > 0,
    algorithms: ["quantus"],
    hashrate: {
      total: windows(rates),
      highest: rates.highest ?? null,
      threads: now.units.map(unit => windows(unit.rates)),
    },
    hugepages: false,
  }
}

const windows = ({ tenSeconds, minute, quarterHour }: Rates): (number | null)[] => [
  tenSeconds ?? null,
  minute ?? null,
  quarterHour ?? null,
]

/** The bus of a PCI address (`0000:65:00.0` → 101); null if absent. */
function busNumber(pci: string | undefined): number | null {
  const bus = pci?.match(/^(?:[0-9a-f]+:)?([0-9a-f]{2}):[0-9a-f]{2}\.[0-9a-f]$/i)?.[1]
  return bus === undefined ? null : Number.parseInt(bus, 16)
}
