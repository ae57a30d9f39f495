import { readdirSync, readFileSync } from "node:fs"

/** Resources of this process; undefined if the platform does not report them. */
export interface ProcessSnapshot {
  /** User and system time of all threads. */
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** Seconds since the epoch. */
  readonly startedAt: number
  readonly openFiles: number | undefined
  readonly maxOpenFiles: number | undefined
}

/** Returns a function that reads the resources of this process. @param proc root of the proc file system */
export function processReader(proc = "/proc"): () => ProcessSnapshot {
  const startedAt = Date.now() / 1000 - process.uptime()
  return () => {
    const { user, system } = process.cpuUsage()
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      startedAt,
      // Reading the directory itself uses one descriptor.
      openFiles: attempt(() => readdirSync(`${proc}/self/fd`).length - 1),
      maxOpenFiles: attempt(() =>
        Number(readFileSync(`${proc}/self/limits`, "utf8").match(/^Max open files +(\d+)/m)?.[1]),
      ),
    }
  }
}

function attempt(read: () => number): number | undefined {
  try {
    const value = read()
    return Number.isFinite(value) ? value : undefined
  } catch {
    return undefined
  }
}
