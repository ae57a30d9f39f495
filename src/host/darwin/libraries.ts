/** The C library of macOS. */
import { dlopen } from "bun:ffi"
import { openedOnce } from "../once.ts"

/** It is not a file on disk, but the loader finds it in its shared cache by this path. */
export const C_LIBRARY = "/usr/lib/libSystem.B.dylib"

/** flock(2); undefined if `bun:ffi` is refused. */
export const flock = openedOnce(
  () => dlopen(C_LIBRARY, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock,
)
