/** File trees that stand for a machine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** Temporary directories, removed by `cleanUp`. */
export function scratch() {
  const made: string[] = []
  return {
    directory() {
      const path = mkdtempSync(join(tmpdir(), "quantus-host-"))
      made.push(path)
      return path
    },
    /** A root with these files, path to text. */
    root(files: Record<string, string>) {
      const root = this.directory()
      writeTree(root, files)
      return root
    },
    cleanUp() {
      for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true })
    },
  }
}

export function writeTree(root: string, files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}
