/** One lock per device, so that two miners do not share a card. The system releases it with the process. */
import { closeSync, constants, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Environment } from "../../environment.ts"
import { libc } from "../../host/libc.ts"
import { deviceKey, type GpuDevice } from "./device.ts"
import { type Locked, lockMutex } from "./device-mutex.ts"

/** LOCK_EX | LOCK_NB. */
const EXCLUSIVE_NOW = 2 | 4

/** Lock directories in order: one that all users share, then the service's own, then the temporary one. */
export function lockDirectories(env: Environment): string[] {
  const { RUNTIME_DIRECTORY: service } = env
  return ["/run/lock", ...(service ? [service.split(":")[0]!] : []), tmpdir()]
}

/**
 * Locks a device by `flock`, on Windows by a named mutex.
 * @param directories where the lock file may be; the first writable one is used
 */
export function lockDevice(device: GpuDevice, directories: readonly string[], platform = process.platform): Locked {
  const name = `quantus-miner-gpu-${identityOf(device).replace(/[^\w.-]/g, "_")}`
  if (platform === "win32") return lockMutex(name)
  const flock = libc()?.flock
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

/** Equal for every API; MIG instances of one card do not exclude each other. */
const identityOf = (device: GpuDevice): string => device.part ?? device.pci ?? deviceKey(device)

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
