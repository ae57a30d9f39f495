/** The file system as configuration sees it; a parameter, so that tests need none. */
import { readdirSync, readFileSync, statSync } from "node:fs"

export interface Files {
  /** @throws Node's error with its `code` where the file cannot be read */
  read(path: string): string
  /** Permission bits. @throws as `read` */
  mode(path: string): number
  /** Names in a directory, sorted; none where it cannot be read. */
  list(directory: string): string[]
}

export const systemFiles: Files = {
  read: path => readFileSync(path, "utf8"),
  mode: path => statSync(path).mode & 0o777,
  list(directory) {
    try {
      return readdirSync(directory).sort()
    } catch {
      return []
    }
  },
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
  }
  return known[code] ?? `cannot be read (${code})`
}
