/** Job control of the terminal (credentials(7), proc_pid_stat(5)). */
import { readFileSync } from "node:fs"

/** Whether this process is in the foreground process group of its terminal. */
export function isInForeground(): boolean {
  try {
    return isForegroundIn(readFileSync("/proc/self/stat", "utf8"))
  } catch {
    return true
  }
}

/** @param stat `pid (comm) state ppid pgrp session tty_nr tpgid …`; `comm` may contain spaces and parentheses */
export function isForegroundIn(stat: string): boolean {
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return group === foreground
}
