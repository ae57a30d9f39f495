import { expect, test } from "bun:test"
import { join } from "node:path"
import { resolveConfig } from "../../src/config/config.ts"
import { memoryFiles } from "../config/memory-files.ts"

const folder = join(import.meta.dir, "../../examples")
const names = [...new Bun.Glob("*.toml").scanSync(folder)].sort()

/** What the secret files that the examples name contain. */
const SECRETS = {
  "/etc/quantus-miner/token": "token",
  "/etc/quantus-miner/token-2": "token",
  "/etc/quantus-miner/pin": "ab".repeat(32),
  "/etc/quantus-miner/pin-2": "ab".repeat(32),
  "/etc/quantus-miner/backup-password": "password",
}

const EXPECTED_SOURCES: Readonly<Record<string, readonly string[]>> = {
  "node.toml": ["quic://192.0.2.7:9833"],
  "pools.toml": ["stratum+tls://pool.example:4433", "stratum+tls://backup.example:4433", "quic://192.0.2.7:9833"],
  "rack.toml": ["quic://192.0.2.7:9833", "quic://192.0.2.8:9833"],
}

test("every example has an expectation", () => {
  expect(names).toEqual(Object.keys(EXPECTED_SOURCES).sort())
})

for (const name of names) {
  test(`${name} is a valid configuration without warnings`, async () => {
    const files = memoryFiles({ ...SECRETS, "/miner.toml": await Bun.file(join(folder, name)).text() })
    const { sources, notes } = await resolveConfig("serve", ["--config", "/miner.toml"], {}, files)
    expect(sources.map(source => source.name)).toEqual([...EXPECTED_SOURCES[name]!])
    expect(notes).toEqual([])
  })
}
