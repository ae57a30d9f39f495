/** Windows. */
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { openLibrary } from "./libraries.ts"
import { memory } from "./memory.ts"
import { lockMutex } from "./mutex.ts"
import { idleSeconds, isOnBattery } from "./owner.ts"

export const windows: Platform = {
  ...portable,
  openLibrary,
  memory,
  lock: name => lockMutex(name),
  isOnBattery,
  idleSeconds,
}
