/** Opens shared libraries from the system's directory. */
import { dlopen, type FFIFunction, type Library } from "bun:ffi"
import { existsSync } from "node:fs"
import { isAbsolute, join } from "node:path"

/** As `Platform.openLibrary`. Distinguishes an absent library from one that lacks another library: Windows reports the same error for both. */
export function openLibrary<const Table extends Record<string, FFIFunction>>(
  name: string,
  table: Table,
): Library<Table> {
  const path = isAbsolute(name) ? name : join(process.env["SystemRoot"] || "C:\\Windows", "System32", name)
  if (!existsSync(path)) throw new Error(`${path} could not be found`)
  return dlopen(path, table)
}
