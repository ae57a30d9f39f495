/** A lock for each device, so that two miners do not share a card. The system frees it with the process. */
import { closeSync, constants, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { libc } from "../../host/libc.ts"
import { deviceKey, type GpuDevice } from "./device.ts"

export interface DeviceLock {
  release(): void
}

export type Locked =
  | { readonly kind: "locked"; readonly lock: DeviceLock }
  /** Another process has it. */
  | { readonly kind: "taken"; readonly process: string }
  /** Locks cannot be made here: no C library, or no directory to write to. */
  | { readonly kind: "unlockable" }

/** LOCK_EX | LOCK_NB. */
const EXCLUSIVE_NOW = 2 | 4

/** Directories that all users' miners see come first, then a service's own. */
export function lockDirectories(env: Readonly<Record<string, string | undefined>>): string[] {
  const { RUNTIME_DIRECTORY: service } = env
  return ["/run/lock", ...(service ? [service.split(":")[0]!] : []), tmpdir()]
}

/** @param directories where the lock's file may be, the first that can be written to */
export function lockDevice(device: GpuDevice, directories: readonly string[]): Locked {
  const flock = libc()?.flock
  if (!flock) return { kind: "unlockable" }
  for (const directory of directories) {
    const path = join(directory, `quantus-miner-gpu-${nameOf(device).replace(/[^\w.-]/g, "_")}.lock`)
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

/** The same by every API; parts of one card are not in each other's way. */
const nameOf = (device: GpuDevice): string => device.part ?? device.pci ?? deviceKey(device)

/**
 * Opens the file of a user's miner or makes one, which any user's may lock. A file that is there is not opened with
 * O_CREAT: in a directory such as /run/lock the kernel refuses that for others' files (`fs.protected_regular`).
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
  // The process's mask had its say.
  if (made) fchmodSync(made.file, 0o666)
  return made ?? attempt(O_RDWR, true) ?? attempt(O_RDONLY, false)
}
