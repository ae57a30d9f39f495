import type { Log } from "../../src/log.ts"

/** A logger that keeps its lines as `level tag: message`, for tests to look at. */
export class RecordedLog implements Log {
  constructor(
    readonly lines: string[] = [],
    private readonly tag = "",
  ) {}

  debug = (message: string) => this.#add("debug", message)
  info = (message: string) => this.#add("info", message)
  success = (message: string) => this.#add("success", message)
  warn = (message: string) => this.#add("warn", message)
  error = (message: string) => this.#add("error", message)

  withTag(tag: string): RecordedLog {
    return new RecordedLog(this.lines, tag)
  }

  #add(level: string, message: string): void {
    this.lines.push(`${level} ${this.tag === "" ? "" : `${this.tag}: `}${message}`)
  }
}
