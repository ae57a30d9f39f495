/** Opens shared libraries from the system's directory. */
import { dlopen, type FFIFunction, type Library } from "bun:ffi"
import { isAbsolute, join } from "node:path"

/** As `Platform.openLibrary`. */
export function openLibrary<const Table extends Record<string, FFIFunction>>(
  name: string,
  table: Table,
): Library<Table> {
  return dlopen(isAbsolute(name) ? name : join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", name), table)
}
