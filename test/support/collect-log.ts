import type { Log } from "../../src/log.ts"

export interface LogLine {
  readonly level: "debug" | "info" | "success" | "warn" | "error"
  readonly message: string
}

/** A logger that keeps its lines. */
export function collectLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: LogLine["level"]) => (message: string) => void lines.push({ level, message })
  const log = {
    lines,
    debug: at("debug"),
    info: at("info"),
    success: at("success"),
    warn: at("warn"),
    error: at("error"),
    withTag: () => log,
  }
  return log
}
