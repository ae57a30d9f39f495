/** The log: coloured on a terminal, `[info] [net] text` in pipes and in the journal, or JSON lines. */
import { type ConsolaInstance, type ConsolaOptions, type ConsolaReporter, createConsola, LogLevels } from "consola"
import type { Log } from "../log.ts"
import { printable, type Terminal } from "./terminal.ts"

export interface LogOptions {
  readonly format: "pretty" | "json"
  /** Whether `debug` lines are shown. */
  readonly verbose: boolean
  readonly terminal: Terminal
}

export function createLog({ format, verbose, terminal }: LogOptions): Log {
  const stream = {
    write: (text: string) => terminal.write(text),
    columns: terminal.interactive ? terminal.columns : 0,
  } as NodeJS.WriteStream
  // TypeScript resolves consola's browser types, which lack `fancy`.
  const options: Partial<ConsolaOptions & { fancy: boolean }> = {
    level: verbose ? LogLevels.debug : LogLevels.info,
    fancy: terminal.interactive,
    formatOptions: { date: terminal.interactive, colors: terminal.interactive },
    ...(format === "json" ? { reporters: [jsonLines(terminal)] } : {}),
    stdout: stream,
    stderr: stream,
  }
  return adapt(createConsola(options))
}

function adapt(consola: ConsolaInstance): Log {
  return {
    debug: message => consola.debug(printable(message)),
    info: message => consola.info(printable(message)),
    success: message => consola.success(printable(message)),
    warn: message => consola.warn(printable(message)),
    error: message => consola.error(printable(message)),
    withTag: tag => adapt(consola.withTag(tag)),
  }
}

/** `time` is ISO 8601 in UTC; `level` is debug, info, warn or error; `tag` is empty if absent. */
function jsonLines(terminal: Terminal): ConsolaReporter {
  return {
    log({ date, type, tag, args }) {
      const level = type === "success" ? "info" : type
      terminal.write(`${JSON.stringify({ time: date.toISOString(), level, tag, message: args.join(" ") })}\n`)
    },
  }
}
