/** The file system as configuration sees it; a parameter, so that tests need none. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs"

export interface Files {
  /** @throws Node's error with its `code` where the file cannot be read */
  read(path: string): string
  /** Permission bits. @throws as `read` */
  mode(path: string): number
  /** Whether it can be read more than once, as a pipe cannot. @throws as `read` */
  lasts(path: string): boolean
  /** Names in a directory, sorted; none where it cannot be read. */
  list(directory: string): string[]
}

export const systemFiles: Files = {
  read: readAtMost,
  mode: path => statSync(path).mode & 0o777,
  lasts: path => statSync(path).isFile(),
  list(directory) {
    try {
      return readdirSync(directory).sort()
    } catch {
      return []
    }
  },
}

/** Bytes that are read of a file at most: no configuration comes near it, but `/dev/zero` has no end. */
const MOST_BYTES = 2 ** 20

function readAtMost(path: string): string {
  const descriptor = openSync(path, "r")
  try {
    const bytes = Buffer.alloc(MOST_BYTES + 1)
    let length = 0
    let read: number
    do length += read = readSync(descriptor, bytes, length, bytes.length - length, null)
    while (read > 0)
    if (length > MOST_BYTES) throw Object.assign(new Error(`${path} is too large`), { code: "EFBIG" })
    return bytes.toString("utf8", 0, length)
  } finally {
    closeSync(descriptor)
  }
}

/** Why a file could not be read, to stand behind its name: "does not exist". Undefined for what is no such error. */
export function fileProblem(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code !== "string") return
  const known: Record<string, string> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "cannot be read by this user",
    EPERM: "cannot be read by this user",
    EISDIR: "is a directory",
    EFBIG: "is too large",
  }
  return known[code] ?? `cannot be read (${code})`
}
