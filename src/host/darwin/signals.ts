/** Signals that were ignored when this process began. */
import { dlopen } from "bun:ffi"
import { C_LIBRARY } from "./libraries.ts"

const HANGUP = 1
const IGNORED = 1n

/** Asks by replacing the action, and puts the former one back. @returns false if the system cannot be asked */
export function ignoresHangup(): boolean {
  try {
    const { signal } = dlopen(C_LIBRARY, { signal: { args: ["i32", "u64"], returns: "u64" } }).symbols
    const before = signal(HANGUP, IGNORED)
    signal(HANGUP, before)
    return before === IGNORED
  } catch {
    return false
  }
}
