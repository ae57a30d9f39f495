import { expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ArchiveEntry, readTar, writeTar } from "../../../scripts/release/tar.ts"
import { writeZip } from "../../../scripts/release/zip.ts"

const TIME = 1_764_000_000
const entries: ArchiveEntry[] = [
  { path: "folder/program", bytes: new Uint8Array(1000).map((_, i) => i), mode: 0o755 },
  { path: "folder/deep/text", bytes: Buffer.from("text\n"), mode: 0o644 },
  { path: "folder/empty", bytes: new Uint8Array(0), mode: 0o644 },
]

test("tar: what is read is what was written", () => {
  const read = readTar(writeTar(entries, TIME))
  expect(read.map(({ path, bytes, mode }) => ({ path, bytes: [...bytes], mode }))).toEqual(
    entries.map(({ path, bytes, mode }) => ({ path, bytes: [...bytes], mode })),
  )
})

test("tar refuses a path that does not fit", () => {
  expect(() => writeTar([{ path: "x".repeat(101), bytes: new Uint8Array(0), mode: 0o644 }], TIME)).toThrow("too long")
})

const unpack: Record<string, { bytes: Uint8Array; command: (archive: string, into: string) => string[] }> = {
  tar: { bytes: writeTar(entries, TIME), command: (archive, into) => ["tar", "xf", archive, "-C", into] },
  zip: {
    bytes: writeZip(entries, TIME),
    command: (archive, into) => ["python3", "-m", "zipfile", "-e", archive, into],
  },
}

for (const [kind, { bytes, command }] of Object.entries(unpack)) {
  const tool = Bun.which(command("", "")[0]!)
  test.skipIf(!tool)(
    `${kind}: another program unpacks it${tool ? "" : " (skipped: the program is not installed)"}`,
    () => {
      const directory = mkdtempSync(join(tmpdir(), "quantus-archive-"))
      try {
        writeFileSync(join(directory, "archive"), bytes)
        expect(Bun.spawnSync(command(join(directory, "archive"), directory)).exitCode).toBe(0)
        for (const entry of entries)
          expect(new Uint8Array(readFileSync(join(directory, entry.path)))).toEqual(new Uint8Array(entry.bytes))
        if (kind === "tar") {
          expect(statSync(join(directory, "folder/program")).mode & 0o777).toBe(0o755)
          expect(statSync(join(directory, "folder/program")).mtimeMs).toBe(TIME * 1000)
        }
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    },
  )
}
