/**
 * Environment variables that turn an executable made by Bun into something else: a plain Bun, one that loads a module
 * first, one that listens for a debugger, one that uploads crash reports. The runtime offers no option against them, so
 * the build makes their names unmatchable: no environment variable has a name that contains `=`.
 */
import { readFileSync, writeFileSync } from "node:fs"

/** `BUN_INSPECT` also covers `BUN_INSPECT_CONNECT_TO` and `BUN_INSPECT_PRELOAD`. */
export const RUNTIME_SWITCHES = ["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT", "BUN_ENABLE_CRASH_REPORTING"] as const

/**
 * Rewrites `path` in place. Its length stays the same; a signature over its pages must be renewed afterwards.
 * @throws Error if a name is absent: the runtime has renamed or removed it, and this list must follow
 */
export function removeRuntimeSwitches(path: string): void {
  const bytes = readFileSync(path)
  for (const name of RUNTIME_SWITCHES) {
    let at = bytes.indexOf(name)
    if (at < 0) throw new Error(`the runtime does not contain the variable ${name}`)
    for (; at >= 0; at = bytes.indexOf(name, at + name.length)) bytes.write("=", at, "latin1")
  }
  writeFileSync(path, bytes)
}
