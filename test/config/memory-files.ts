import type { Files } from "../../src/config/files.ts"

export interface MemoryFile {
  readonly text?: string
  /** Permission bits, 0o600 unless told. */
  readonly mode?: number
  /** Reading it fails with this code. */
  readonly code?: string
  readonly readOnlyMount?: boolean
  /** Not a file that can be read again. */
  readonly pipe?: boolean
}

/** Files that exist only in a test: by path, a text or more. */
export function memoryFiles(files: Readonly<Record<string, string | MemoryFile>>): Files {
  const find = (path: string): MemoryFile => {
    const file = files[path]
    if (file === undefined) throw Object.assign(new Error(path), { code: "ENOENT" })
    return typeof file === "string" ? { text: file } : file
  }
  return {
    read(path) {
      const { text = "", code } = find(path)
      if (code !== undefined) throw Object.assign(new Error(path), { code })
      return text
    },
    mode: path => find(path).mode ?? 0o600,
    isReadOnly: path => find(path).readOnlyMount === true,
    lasts: path => find(path).pipe !== true,
    list(directory) {
      const inside = Object.keys(files).filter(path => path.startsWith(`${directory}/`))
      return [...new Set(inside.map(path => path.slice(directory.length + 1).split("/")[0]!))].sort()
    },
  }
}
