/** Opens a command's log on standard error; standard output is reserved for results. */
import type { Note } from "../config/config.ts"
import type { Log } from "../log.ts"
import { createLog } from "../observe/log.ts"
import { Terminal } from "../observe/terminal.ts"

export interface LogSettings {
  readonly logFormat: "pretty" | "json"
  readonly verbose: boolean
}

export interface Output {
  readonly terminal: Terminal
  readonly log: Log
}

/** @param notes messages of the configuration, logged first */
export function openOutput(settings: LogSettings, notes: readonly Note[] = []): Output {
  const terminal = new Terminal()
  const log = createLog({ format: settings.logFormat, verbose: settings.verbose, terminal })
  for (const { level, message } of notes) log[level](message)
  return { terminal, log }
}
