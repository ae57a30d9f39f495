/** Opens a driver's shared library; where there is none, the API is not supported here, which is no error. */
import type { ConvertFns, FFIFunction, Library } from "bun:ffi"
import { openSystemLibrary } from "../../host/system-library.ts"

/** Why an API or a device cannot be used here, e.g. "no CUDA driver: there is no libcuda.so.1"; the next API is tried. */
export class UnsupportedDevice extends Error {
  override readonly name = "UnsupportedDevice"
}

/** There is no library to drive an API with: the usual case, where the others are a driver's failures. */
export class NoDriver extends UnsupportedDevice {}

/** A library's functions, all of which return a status; what a test may hand in instead. */
export type Functions<Table extends Record<string, FFIFunction>> = {
  readonly [Name in keyof Table]: (...args: Parameters<ConvertFns<Table>[Name]>) => number
}

/**
 * Opens the first of the named libraries that the loader finds.
 * @param what the API's name, for the message
 * @throws NoDriver where none is there, UnsupportedDevice where one cannot be opened or lacks a function
 */
export function openLibrary<const Table extends Record<string, FFIFunction>>(
  what: string,
  names: readonly string[],
  table: Table,
): Library<Table> {
  const reasons: string[] = []
  let found = false
  for (const name of names) {
    try {
      return openSystemLibrary(name, table)
    } catch (error) {
      const { message } = error as Error
      const absent = /No such file|could not be found/i.test(message)
      found ||= !absent
      const [, symbol] = /^Symbol "(\w+)"/.exec(message) ?? []
      reasons.push(absent ? `there is no ${name}` : symbol ? `${name} is too old: it has no ${symbol}` : message)
    }
  }
  throw new (found ? UnsupportedDevice : NoDriver)(`no ${what} driver: ${reasons.join(", ")}`)
}

/** What a platform calls the library. */
export function libraryNames(
  names: Partial<Record<NodeJS.Platform, readonly string[]>>,
  platform: NodeJS.Platform,
): readonly string[] {
  return names[platform] ?? names.linux ?? []
}

/** The text of a driver's zero-terminated answer. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trim()
}
