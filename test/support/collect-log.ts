import type { Log } from "../../src/log.ts"

export interface LogLine {
  readonly level: "debug" | "info" | "success" | "warn" | "error"
  readonly message: string
}

export interface CollectedLog extends Log {
  readonly lines: LogLine[]
  /** The lines as `level message`. */
  readonly texts: string[]
}

/** A logger that keeps its lines. */
export function collectLog(): CollectedLog {
  const lines: LogLine[] = []
  const at = (level: LogLine["level"]) => (message: string) => void lines.push({ level, message })
  const log = {
    lines,
    get texts() {
      return lines.map(({ level, message }) => `${level} ${message}`)
    },
    debug: at("debug"),
    info: at("info"),
    success: at("success"),
    warn: at("warn"),
    error: at("error"),
    withTag: () => log,
  }
  return log
}
