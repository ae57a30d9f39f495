import { readdirSync, readFileSync } from "node:fs"
import { builtExecutable } from "./executable.ts"
import { LoggedProcess } from "./logged-process.ts"

export type { Line } from "./logged-process.ts"

/** The built executable at work, its log lines as they come. */
export class MinerProcess extends LoggedProcess {
  constructor(args: readonly string[], options: { env?: Record<string, string>; prefix?: readonly string[] } = {}) {
    const { PATH = "" } = process.env
    super([...(options.prefix ?? []), builtExecutable(), ...args], {
      // A home in which nothing can be made, even by root: no test leaves measurements to the next.
      env: { PATH, HOME: "/dev/null", ...options.env },
    })
  }

  /** Resident bytes. */
  get memory(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))!
    return Number(kilobytes) * 1024
  }

  /** Open file descriptors. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Ids of its worker threads. The runtime's own come and go. */
  get workers(): readonly number[] {
    const task = `/proc/${this.pid}/task`
    return readdirSync(task)
      .map(Number)
      .filter(thread => readText(`${task}/${thread}/comm`) === "Worker\n")
  }
}

/** Empty where it has gone meanwhile. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
