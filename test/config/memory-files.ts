import type { Files } from "../../src/config/files.ts"

export interface MemoryFile {
  readonly text?: string
  /** Permission bits, default 0o600. */
  readonly mode?: number
  /** Reading it fails with this code. */
  readonly code?: string
  readonly readOnlyMount?: boolean
  /** Whether the file can be read only once. */
  readonly pipe?: boolean
}

/** An in-memory file system: text or properties by path. */
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
    isRereadable: path => find(path).pipe !== true,
    isDirectory: path => Object.keys(files).some(file => file.startsWith(`${path}/`)),
    list(directory) {
      const inside = Object.keys(files).filter(path => path.startsWith(`${directory}/`))
      return [...new Set(inside.map(path => path.slice(directory.length + 1).split("/")[0]!))].sort()
    },
  }
}
