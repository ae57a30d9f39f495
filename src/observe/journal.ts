/** systemd's journal as the reader of standard error: lines carry a priority (sd-daemon(3)). */
import { fstatSync } from "node:fs"
import type { Environment } from "../environment.ts"

/** syslog(3) priorities of the log levels. */
const PRIORITIES: Readonly<Record<string, number>> = { error: 3, fatal: 3, warn: 4, info: 6, success: 6, debug: 7 }

/** Whether standard error is the journal: $JOURNAL_STREAM names its device and inode. */
export function isJournal(env: Environment, file?: { readonly dev: number; readonly ino: number }): boolean {
  const stream = env["JOURNAL_STREAM"]
  // Windows does not report a file for every kind of standard error.
  if (!stream) return false
  const { dev, ino } = file ?? fstatSync(2)
  return stream === `${dev}:${ino}`
}

/** Puts the level's priority before each line of `text`: `<4>`. */
export function withPriority(level: string, text: string): string {
  return text.replace(/^(?=.)/gm, `<${PRIORITIES[level] ?? 6}>`)
}
