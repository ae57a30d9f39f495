/** macOS. */
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { memory } from "./memory.ts"

export const darwin: Platform = { ...portable, memory }
