/** Small files of sysfs, each with one value. */
import { readdirSync, readFileSync } from "node:fs"

/** The entries of a directory; none if it is absent or unreadable. */
export function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}

/** A file's text without surrounding white space; empty if it is absent or unreadable. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return ""
  }
}
