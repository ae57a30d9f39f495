/** Opens a command's log on standard error; standard output is reserved for results. */
import type { Note } from "../config/config.ts"
import { setOpenedLog } from "../failure.ts"
import type { Log } from "../log.ts"
import { isJournal } from "../observe/journal.ts"
import { createLog } from "../observe/log.ts"
import { LogFile } from "../observe/log-file.ts"
import { Terminal } from "../observe/terminal.ts"
import { onReload } from "./stop-signal.ts"

export interface LogSettings {
  readonly logFormat: "pretty" | "json"
  readonly verbose: boolean
  readonly quiet?: boolean
  readonly noColor?: boolean
  readonly logFile?: string | undefined
}

export interface Output {
  readonly terminal: Terminal
  readonly log: Log
}

/**
 * @param notes messages of the configuration, logged first
 * @throws OperatorError (config) if the log file cannot be opened
 */
export function openOutput(settings: LogSettings, notes: readonly Note[] = []): Output {
  const terminal = new Terminal()
  const options = {
    format: settings.logFormat,
    verbose: settings.verbose,
    quiet: settings.quiet ?? false,
    color: !settings.noColor,
    journal: isJournal(process.env),
    terminal,
  }
  const failed = (message: string) => createLog(options).warn(message)
  const file = settings.logFile === undefined ? undefined : new LogFile({ path: settings.logFile, failed })
  if (file) onReload(() => file.reopen())
  setOpenedLog({ format: settings.logFormat, file })
  const log = createLog({ ...options, file })
  for (const { level, message } of notes) log[level](message)
  return { terminal, log }
}
