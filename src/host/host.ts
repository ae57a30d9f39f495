/** The operating system that this process runs on, chosen once. */
import { darwin } from "./darwin/darwin.ts"
import { linux } from "./linux/linux.ts"
import type { Platform } from "./platform.ts"
import { portable } from "./portable.ts"
import { windows } from "./windows/windows.ts"

const PLATFORMS: Partial<Record<NodeJS.Platform, Platform>> = { linux, darwin, win32: windows }

export const host: Platform = PLATFORMS[process.platform] ?? portable
