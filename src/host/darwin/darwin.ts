/** macOS. */
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { memory } from "./memory.ts"
import { idleSeconds, isOnBattery } from "./owner.ts"
import { ignoresHangup } from "./signals.ts"

export const darwin: Platform = { ...portable, ignoresHangup, memory, isOnBattery, idleSeconds }
