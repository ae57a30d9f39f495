/** macOS. It does not bind threads to CPUs. */
import { tmpdir } from "node:os"
import { lockFile } from "../file-lock.ts"
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { nodeDirectory, stateDirectory } from "./directories.ts"
import { flock } from "./libraries.ts"
import { memory } from "./memory.ts"
import { idleSeconds, isInForeground, isOnBattery } from "./owner.ts"
import { ignoresHangup } from "./signals.ts"

/** The directory that all users share, then the user's own. */
const lockDirectories = () => ["/private/tmp", tmpdir()]

export const darwin: Platform = {
  ...portable,
  memory,
  stateDirectory,
  nodeDirectory,
  lock: name => lockFile(name, lockDirectories(), flock()),
  ignoresHangup,
  isOnBattery,
  idleSeconds,
  isInForeground,
}
