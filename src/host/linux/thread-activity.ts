/** Whether a thread of this process wants a CPU, and how much CPU time it has had (proc_pid_stat(5), schedstat). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ThreadActivity } from "../platform.ts"

/** @returns undefined for a thread that has ended */
export function threadActivity(threadId: number, root = "/"): ThreadActivity | undefined {
  const directory = join(root, "proc/self/task", `${threadId}`)
  try {
    // The name stands in parentheses and may contain anything; the state follows the last one.
    const stat = readFileSync(join(directory, "stat"), "utf8")
    const state = stat.slice(stat.lastIndexOf(")") + 2)[0]
    const [nanoseconds] = readFileSync(join(directory, "schedstat"), "utf8").split(" ")
    return { isRunnable: state === "R", cpuMs: Number(nanoseconds) / 1e6 }
  } catch {
    return undefined
  }
}
