import { readdirSync, readFileSync } from "node:fs"

/** A process metric with its conventional name; `read` returns undefined if the platform does not report it. */
export interface ProcessMetric {
  readonly name: string
  readonly type: "counter" | "gauge"
  readonly help: string
  readonly read: () => number | undefined
}

/** The conventional metrics of this process. @param proc root of the proc file system */
export function processMetrics(proc = "/proc"): readonly ProcessMetric[] {
  const startTime = Date.now() / 1000 - process.uptime()
  return [
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "User and system CPU time of all threads, in seconds.",
      read: () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1e6
      },
    },
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Resident memory, in bytes.",
      read: () => process.memoryUsage.rss(),
    },
    {
      name: "process_start_time_seconds",
      type: "gauge",
      help: "Start of the process, in seconds since the epoch.",
      read: () => startTime,
    },
    {
      name: "process_open_fds",
      type: "gauge",
      help: "Open file descriptors.",
      // Reading the directory itself uses one descriptor.
      read: () => attempt(() => readdirSync(`${proc}/self/fd`).length - 1),
    },
    {
      name: "process_max_fds",
      type: "gauge",
      help: "Maximum number of open file descriptors.",
      read: () =>
        attempt(() => Number(readFileSync(`${proc}/self/limits`, "utf8").match(/^Max open files +(\d+)/m)?.[1])),
    },
  ]
}

function attempt(read: () => number): number | undefined {
  try {
    const value = read()
    return Number.isFinite(value) ? value : undefined
  } catch {
    return undefined
  }
}
