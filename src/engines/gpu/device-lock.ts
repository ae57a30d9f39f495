/** A lock for each device, so that two miners do not share a card. The system frees it with the process. */
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
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
    const path = join(directory, `quantus-miner-gpu-${(device.pci ?? deviceKey(device)).replace(/[^\w.-]/g, "_")}.lock`)
    const file = open(path)
    if (file === undefined) continue
    if (flock(file, EXCLUSIVE_NOW) !== 0) {
      closeSync(file)
      return { kind: "taken", process: readFileSync(path, "utf8").trim() || "unknown" }
    }
    ftruncateSync(file)
    writeSync(file, `${process.pid}\n`, 0)
    return { kind: "locked", lock: { release: () => closeSync(file) } }
  }
  return { kind: "unlockable" }
}

/** Other users may lock it too. */
function open(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666)
  } catch {
    return undefined
  }
}
