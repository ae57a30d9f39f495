import { readdirSync, readFileSync } from "node:fs"
import { builtExecutable } from "./executable.ts"

export interface Line {
  readonly text: string
  /** `performance.now()` when it was read. */
  readonly at: number
}

/** The built executable at work, its log lines as they come. */
export class MinerProcess {
  readonly lines: Line[] = []
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">
  readonly #waiting = new Set<() => void>()

  #ended = false

  constructor(args: readonly string[], options: { env?: Record<string, string>; prefix?: readonly string[] } = {}) {
    const { PATH = "" } = process.env
    this.#process = Bun.spawn([...(options.prefix ?? []), builtExecutable(), ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // A home in which nothing can be made, even by root: no test leaves measurements to the next.
      env: { PATH, HOME: "/dev/null", ...options.env },
    })
    Promise.all([this.#read(this.#process.stdout), this.#read(this.#process.stderr)]).finally(() => {
      this.#ended = true
      this.#wake()
    })
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Settles with the exit code. */
  get exited(): Promise<number> {
    return this.#process.exited
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    this.#process.kill(signal)
  }

  /** Ends it and waits for that. */
  async stop(): Promise<number> {
    this.kill()
    return await this.exited
  }

  get text(): string {
    return this.lines.map(({ text }) => text).join("\n")
  }

  /** The first line from number `from` on that matches. Rejects where the process ends without one. */
  async line(pattern: RegExp, from = 0): Promise<Line> {
    for (let i = from; ; i++) {
      while (i >= this.lines.length) {
        if (this.#ended) throw new Error(`the miner ended and never said ${pattern}:\n${this.text}`)
        await new Promise<void>(resolve => this.#waiting.add(resolve))
      }
      if (pattern.test(this.lines[i]!.text)) return this.lines[i]!
    }
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

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const chunk of stream) {
      const texts = (rest + decoder.decode(chunk, { stream: true })).split("\n")
      rest = texts.pop()!
      for (const text of texts) this.lines.push({ text, at: performance.now() })
      this.#wake()
    }
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
