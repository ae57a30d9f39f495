import { linesOf } from "../../src/host/lines-of.ts"

export interface Line {
  readonly text: string
  /** `performance.now()` when it was read. */
  readonly at: number
}

export interface LoggedProcessOptions {
  readonly env: Record<string, string | undefined>
  /** Puts it into a process group, which `kill` then ends as a whole. */
  readonly group?: boolean
}

/** A process whose output is read line by line, standard output and standard error alike. */
export class LoggedProcess {
  readonly lines: Line[] = []
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">
  readonly #group: boolean
  readonly #waiting = new Set<() => void>()
  readonly #read: Promise<unknown>
  #ended = false

  constructor(command: readonly string[], { env, group = false }: LoggedProcessOptions) {
    this.#group = group
    this.#process = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env, detached: group })
    const { stdout, stderr } = this.#process
    this.#read = Promise.all([this.#readLines(stdout), this.#readLines(stderr)]).finally(() => {
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

  /** Settles with the exit code once all output has been read too. */
  get ended(): Promise<number> {
    return this.#read.then(() => this.exited)
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    if (!this.#group) this.#process.kill(signal)
    else if (this.#process.exitCode === null && this.#process.signalCode === null) process.kill(-this.pid, signal)
  }

  /** Ends it and waits for that, and for its last output. */
  async stop(): Promise<number> {
    this.kill()
    return await this.ended
  }

  get text(): string {
    return this.lines.map(({ text }) => text).join("\n")
  }

  /** The first line from number `from` on that matches. Rejects if the process ends without one. */
  async line(pattern: RegExp, from = 0): Promise<Line> {
    for (let i = from; ; i++) {
      while (i >= this.lines.length) {
        if (this.#ended) throw new Error(`the process ended and never said ${pattern}:\n${this.text}`)
        await new Promise<void>(resolve => this.#waiting.add(resolve))
      }
      if (pattern.test(this.lines[i]!.text)) return this.lines[i]!
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  async #readLines(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of linesOf(stream)) {
      this.lines.push({ text, at: performance.now() })
      this.#wake()
    }
  }
}
