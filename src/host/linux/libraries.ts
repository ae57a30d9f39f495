/** Opens shared libraries by the C library's loader. */
import { CString, dlopen, type FFIFunction, type Library, type Pointer } from "bun:ffi"
import { readFileSync } from "node:fs"
import { isAbsolute } from "node:path"

/** RTLD_LAZY. */
const LAZY = 1

/** As `Platform.openLibrary`. */
export function openLibrary<const Table extends Record<string, FFIFunction>>(
  name: string,
  table: Table,
): Library<Table> {
  if (isAbsolute(name)) return dlopen(name, table)
  load(name)
  // A loaded library is found by name before any directory is searched.
  return dlopen(name, table)
}

/**
 * Opens the C library that is mapped into this process.
 * @throws Error if none is found, as without /proc
 */
export function openCLibrary<const Table extends Record<string, FFIFunction>>(table: Table): Library<Table> {
  let failure = new Error("no C library is mapped into this process")
  for (const path of cLibraries()) {
    try {
      return dlopen(path, table)
    } catch (error) {
      failure = error as Error
    }
  }
  throw failure
}

/** Paths of glibc's and musl's C library with their links resolved; before 2.34 glibc consists of two files. */
const C_LIBRARY = /\/(lib(c|dl)(\.so(\.\d+)?|-[\d.]+\.so)|(ld-|libc\.)musl-\w+\.so\.\d+)( \(deleted\))?$/

function cLibraries(): readonly string[] {
  try {
    return cLibrariesIn(readFileSync("/proc/self/maps", "utf8"))
  } catch {
    return []
  }
}

/**
 * The C library's files in a process's memory map, each as the loader finds the copy that is mapped: by path, or by
 * SONAME if an upgrade has replaced the file. Opening the replacement would map a second C library.
 * @param maps text of `/proc/PID/maps`
 */
export function cLibrariesIn(maps: string): readonly string[] {
  const mapped = maps.split("\n").map(line => line.slice(line.indexOf("/")))
  return [...new Set(mapped.filter(path => C_LIBRARY.test(path)).map(nameOfMapped))]
}

function nameOfMapped(path: string): string {
  if (!path.endsWith(" (deleted)")) return path
  const file = path.slice(path.lastIndexOf("/") + 1, -" (deleted)".length)
  if (file.includes("musl-")) return file.replace(/^ld-/, "libc.")
  return file.startsWith("libdl") ? "libdl.so.2" : "libc.so.6"
}

let loader: ReturnType<typeof openLoader> | undefined

const openLoader = () =>
  openCLibrary({ dlopen: { args: ["ptr", "i32"], returns: "ptr" }, dlerror: { args: [], returns: "ptr" } }).symbols

function load(name: string): void {
  loader ??= openLoader()
  if (loader.dlopen(Buffer.from(`${name}\0`), LAZY) !== null) return
  const words = loader.dlerror()
  throw new Error(words === null ? `${name} cannot be loaded` : new CString(words as Pointer).toString())
}
