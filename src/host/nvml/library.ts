/** Opens NVIDIA's management library. */
import type { FFIFunction, Library } from "bun:ffi"
import { existsSync } from "node:fs"
import { host } from "../host.ts"

/** The loader's name first; WSL2 distributions may leave the second one's directory off the loader's path. */
const LIBRARIES =
  process.platform === "win32" ? ["nvml.dll"] : ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"]

/** @returns the library's functions; undefined if it is absent or lacks one of them */
export function openNvmlLibrary<const Table extends Record<string, FFIFunction>>(
  table: Table,
): Library<Table>["symbols"] | undefined {
  for (const name of LIBRARIES) {
    if (name.startsWith("/") && !existsSync(name)) continue
    try {
      return host.openLibrary(name, table).symbols
    } catch {
      // Absent, or too old: the next.
    }
  }
  return undefined
}
