import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mayHaveGpus } from "../../src/host/gpu-nodes.ts"

test("on Linux a GPU shows by its device nodes, elsewhere it may be anywhere", () => {
  const root = mkdtempSync(join(tmpdir(), "quantus-miner-gpu-nodes-"))
  try {
    expect(mayHaveGpus("linux", root)).toBe(false)
    expect(mayHaveGpus("darwin", root)).toBe(true)
    mkdirSync(join(root, "dev/dri"), { recursive: true })
    expect(mayHaveGpus("linux", root)).toBe(true)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
