/** Formats a fatal error: as text, as a line of a JSON log, and on standard output with `--json`. */
import type { Environment } from "./environment.ts"
import { ExitCode, OperatorError } from "./errors.ts"
import { isJournal, withPriority } from "./observe/journal.ts"

export interface FailureLines {
  /** One JSON object for standard output; undefined without `--json`. */
  readonly out: string | undefined
  readonly err: string
  /** A line of the log file. */
  readonly record: string
  readonly exitCode: ExitCode
}

/** The log that a command has opened. */
export interface OpenedLog {
  readonly format: "pretty" | "json"
  /** The log file; undefined without one. */
  readonly file?: { write(text: string): void } | undefined
}

let opened: OpenedLog | undefined

/** Makes a fatal error appear in the log file, and in the log's format. */
export function setOpenedLog(log: OpenedLog): void {
  opened = log
}

export const openedLog = (): OpenedLog | undefined => opened

/**
 * Reads the two options directly, because option parsing may be what failed.
 * @param args the arguments after the command name
 */
export function failureLines(error: unknown, args: readonly string[], env: Environment, log?: OpenedLog): FailureLines {
  const known = error instanceof OperatorError
  const exitCode = known ? error.exitCode : ExitCode.failure
  const message = known ? escaped(error.message) : Bun.inspect(error)
  const line = { time: new Date().toISOString(), level: "error", tag: "", message }
  const text = known ? `quantus-miner: ${message}` : message
  const isJson = log === undefined ? logsJson(args, env) : log.format === "json"
  const shown = isJson ? JSON.stringify(line) : text
  return {
    out: wantsJson(args) ? JSON.stringify({ error: message, exit_code: exitCode }) : undefined,
    record: isJson ? shown : `${line.time} [error] ${message}`,
    err: isJournal(env) ? withPriority("fatal", shown) : shown,
    exitCode,
  }
}

/** Whether the result must be JSON; read without resolving the configuration, which may be at fault. */
export function wantsJson(args: readonly string[]): boolean {
  return args.some(arg => /^--json(?:=(?:1|true|yes))?$/i.test(arg))
}

/** Whether flags or variables ask for a JSON log; read without resolving the configuration, which may be at fault. */
export function logsJson(args: readonly string[], env: Environment): boolean {
  const at = args.indexOf("--log-format")
  const flag = at >= 0 ? args[at + 1] : args.find(arg => arg.startsWith("--log-format="))?.slice(13)
  return (flag ?? env["MINER_LOG_FORMAT"]) === "json"
}

/** Escapes control characters, which could rewrite the terminal. */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, character => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  })
}
