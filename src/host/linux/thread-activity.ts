/** Whether a thread of this process wants a CPU, and how much CPU time it has had (proc_pid_stat(5), schedstat). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ThreadActivity } from "../platform.ts"
import { threadCpuMs } from "./libc.ts"

const STATES: Partial<Record<string, ThreadActivity["state"]>> = { R: "runnable", T: "stopped", t: "stopped" }

/** States of a thread that has ended but is still listed. */
const ENDED = "ZXx"

/** @returns undefined for a thread that has ended */
export function threadActivity(threadId: number, root = "/"): ThreadActivity | undefined {
  const directory = join(root, "proc/self/task", `${threadId}`)
  try {
    // The name stands in parentheses and may contain anything; the state follows the last one.
    const stat = readFileSync(join(directory, "stat"), "utf8")
    const letter = stat[stat.lastIndexOf(")") + 2]!
    if (ENDED.includes(letter)) return undefined
    return { state: STATES[letter] ?? "waiting", cpuMs: threadCpuMs(threadId) ?? scheduledMs(directory) }
  } catch {
    return undefined
  }
}

/** CPU time up to the scheduler's last tick, in milliseconds. */
function scheduledMs(directory: string): number {
  const [nanoseconds] = readFileSync(join(directory, "schedstat"), "utf8").split(" ")
  return Number(nanoseconds) / 1e6
}
