import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mayHaveGpus } from "../../../src/host/linux/gpu-nodes.ts"

test("a GPU shows by its device nodes", () => {
  const root = mkdtempSync(join(tmpdir(), "quantus-miner-gpu-nodes-"))
  try {
    expect(mayHaveGpus(root)).toBe(false)
    mkdirSync(join(root, "dev/dri"), { recursive: true })
    expect(mayHaveGpus(root)).toBe(true)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test("an NVIDIA card shows on its bus, before there are nodes of it", () => {
  const root = mkdtempSync(join(tmpdir(), "quantus-miner-gpu-nodes-"))
  const device = (address: string, vendor: string, kind: string) => {
    const directory = join(root, "sys/bus/pci/devices", address)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, "vendor"), `${vendor}\n`)
    writeFileSync(join(directory, "class"), `${kind}\n`)
  }
  try {
    // A server's console, and the sound of a card.
    device("0000:03:00.0", "0x1a03", "0x030000")
    device("0000:65:00.1", "0x10de", "0x040300")
    expect(mayHaveGpus(root)).toBe(false)
    device("0000:65:00.0", "0x10de", "0x030200")
    expect(mayHaveGpus(root)).toBe(true)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
