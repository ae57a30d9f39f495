/** A lock of the machine: a locked file (flock(2)), which the system releases with the process. */
import { closeSync, constants, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Locked } from "./platform.ts"

/** LOCK_EX | LOCK_NB. */
const EXCLUSIVE_NOW = 2 | 4

/** flock(2). */
export type Flock = (file: number, operation: number) => number

/**
 * @param directories where the lock file may be; the first writable one is used
 * @param flock undefined if the C library cannot be called
 */
export function lockFile(name: string, directories: readonly string[], flock: Flock | undefined): Locked {
  if (!flock) return { kind: "unlockable" }
  for (const directory of directories) {
    const path = join(directory, `${name}.lock`)
    const opened = open(path)
    if (opened === undefined) continue
    const { file, writable } = opened
    if (flock(file, EXCLUSIVE_NOW) !== 0) {
      closeSync(file)
      return { kind: "taken", process: readFileSync(path, "utf8").trim() || "unknown" }
    }
    if (writable) {
      ftruncateSync(file)
      writeSync(file, `${process.pid}\n`, 0)
    }
    return { kind: "locked", lock: { release: () => closeSync(file) } }
  }
  return { kind: "unlockable" }
}

/**
 * Opens the lock file, or creates one that any user's miner may lock. An existing file is opened without O_CREAT: in a
 * directory such as /run/lock the kernel refuses that for other users' files (`fs.protected_regular`).
 */
function open(path: string): { readonly file: number; readonly writable: boolean } | undefined {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const attempt = (flags: number, writable: boolean) => {
    try {
      return { file: openSync(path, flags | O_NOFOLLOW, 0o666), writable }
    } catch {
      return undefined
    }
  }
  const made = attempt(O_RDWR | O_CREAT | O_EXCL, true)
  // Undoes the umask.
  if (made) fchmodSync(made.file, 0o666)
  return made ?? attempt(O_RDWR, true) ?? attempt(O_RDONLY, false)
}
