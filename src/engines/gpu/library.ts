/** Opens a driver's shared library. A missing library is not an error: the API is then unsupported on this host. */
import type { ConvertFns, FFIFunction, Library } from "bun:ffi"
import { existsSync } from "node:fs"
import { host } from "../../host/host.ts"

/** Why an API or a device cannot be used, e.g. "no CUDA driver: there is no libcuda.so.1"; the next API is tried. */
export class UnsupportedDevice extends Error {
  override readonly name = "UnsupportedDevice"
}

/** The API's library is absent. This is the usual case; other `UnsupportedDevice` errors are failures of a driver. */
export class NoDriver extends UnsupportedDevice {}

/** Functions of a library, all of which return a status; tests may replace it. */
export type Functions<Table extends Record<string, FFIFunction>> = {
  readonly [Name in keyof Table]: (...args: Parameters<ConvertFns<Table>[Name]>) => number
}

/**
 * Opens the first of the named libraries that the loader finds.
 * @param what the API's name, for the message
 * @throws NoDriver if every library is absent, UnsupportedDevice if one cannot be opened or lacks a function
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
      return host.openLibrary(name, table)
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

/**
 * Opens each function alone and leaves out the ones that the library lacks: for functions newer than the oldest
 * supported driver, any of which may be absent while others are present.
 */
export function openEach<const Table extends Record<string, FFIFunction>>(
  names: readonly string[],
  table: Table,
): Partial<Functions<Table>> {
  const opened = Object.entries(table).flatMap(([name, type]) => {
    try {
      return [[name, openLibrary(name, names, { [name]: type }).symbols[name]]]
    } catch (error) {
      if (error instanceof UnsupportedDevice) return []
      throw error
    }
  })
  return Object.fromEntries(opened)
}

/** Where WSL2 puts the libraries of Windows' driver; distributions may leave it off the loader's path. */
const WSL_DIRECTORY = "/usr/lib/wsl/lib"

/**
 * The library's names on a platform, in the order they are tried.
 * @param exists whether a path exists; tests may replace it
 */
export function libraryNames(
  names: Partial<Record<NodeJS.Platform, readonly string[]>>,
  platform: NodeJS.Platform,
  exists: (path: string) => boolean = existsSync,
): readonly string[] {
  const known = names[platform] ?? names.linux ?? []
  if (platform !== "linux") return known
  return [...known, ...known.map(name => `${WSL_DIRECTORY}/${name}`).filter(exists)]
}

/** Decodes a zero-terminated text that a driver wrote. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trim()
}
