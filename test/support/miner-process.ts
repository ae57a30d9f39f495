import { readdirSync, readFileSync } from "node:fs"
import { builtExecutable } from "./executable.ts"
import { LoggedProcess } from "./logged-process.ts"

export type { Line } from "./logged-process.ts"

export interface MinerProcessOptions {
  readonly env?: Record<string, string>
  /** A command that runs the miner: `taskset -c 0`. */
  readonly prefix?: readonly string[]
  /** What runs; the built executable by default. */
  readonly program?: readonly string[]
}

/** The miner at work, its log lines as they come. */
export class MinerProcess extends LoggedProcess {
  constructor(args: readonly string[], options: MinerProcessOptions = {}) {
    const { PATH = "" } = process.env
    const { prefix = [], program = [builtExecutable()] } = options
    super([...prefix, ...program, ...args], {
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
