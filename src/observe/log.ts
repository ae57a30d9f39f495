/** The log: coloured on a terminal, `[info] [net] text` in pipes and in the journal, or JSON lines; also in a file. */
import {
  type ConsolaInstance,
  type ConsolaOptions,
  type ConsolaReporter,
  createConsola,
  LogLevels,
  type LogObject,
} from "consola"
import type { Log } from "../log.ts"
import { withPriority } from "./journal.ts"
import { printable, type Terminal } from "./terminal.ts"

export interface LogOptions {
  readonly format: "pretty" | "json"
  /** Whether `debug` lines are shown. */
  readonly verbose: boolean
  /** Whether only warnings and errors are shown. */
  readonly quiet?: boolean
  readonly color?: boolean
  /** Whether the terminal is systemd's journal. */
  readonly journal?: boolean
  readonly terminal: Terminal
  /** Receives each line too, with its time. */
  readonly file?: { write(text: string): void } | undefined
}

export function createLog(options: LogOptions): Log {
  const { format, verbose, quiet = false, color = true, journal = false, terminal, file } = options
  const decorated = terminal.interactive && format === "pretty"
  const line = format === "json" ? jsonLine : plainLine
  const reporters: ConsolaReporter[] = []
  if (!decorated) {
    const shown = (entry: LogObject) => (journal ? withPriority(entry.type, line(entry)) : line(entry))
    reporters.push({ log: entry => terminal.write(`${shown(entry)}\n`) })
  }
  if (file) {
    const timed = (entry: LogObject) => `${entry.date.toISOString()} ${plainLine(entry)}`
    reporters.push({ log: entry => file.write(`${format === "json" ? jsonLine(entry) : timed(entry)}\n`) })
  }
  const stream = {
    write: (text: string) => terminal.write(text),
    columns: terminal.columns,
  } as NodeJS.WriteStream
  // TypeScript resolves consola's browser types, which lack `fancy`.
  const settings: Partial<ConsolaOptions & { fancy: boolean }> = {
    level: quiet ? LogLevels.warn : verbose ? LogLevels.debug : LogLevels.info,
    fancy: true,
    formatOptions: { date: true, colors: color },
    ...(decorated ? {} : { reporters }),
    stdout: stream,
    stderr: stream,
  }
  const consola = createConsola(settings)
  if (decorated) for (const reporter of reporters) consola.addReporter(reporter)
  return adapt(consola)
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

/** `[warn] [net] text` */
function plainLine({ type, tag, args }: LogObject): string {
  return [`[${type}]`, ...(tag ? [`[${tag}]`] : []), args.join(" ")].join(" ")
}

/** `time` is ISO 8601 in UTC; `level` is debug, info, warn or error; `tag` is empty if absent. */
function jsonLine({ date, type, tag, args }: LogObject): string {
  const level = type === "success" ? "info" : type
  return JSON.stringify({ time: date.toISOString(), level, tag, message: args.join(" ") })
}
