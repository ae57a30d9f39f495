/** The built executable, tuning a kernel. */
import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { refusalOf } from "../support/kernels.ts"
import { MinerProcess } from "../support/miner-process.ts"

const directory = mkdtempSync(join(tmpdir(), "tune-"))
afterAll(() => rmSync(directory, { recursive: true }))

const why = refusalOf("avx2")
const skipped = why ? ` (skipped: ${why})` : ""
const ARGS = ["tune", "--engine", "avx2", "--state-dir", directory]

test.skipIf(why !== undefined)(
  `--json prints what was found as one object${skipped}`,
  async () => {
    const miner = new MinerProcess([...ARGS, "--minutes", "0.03", "--json"])
    expect(await miner.ended).toBe(0)
    const [json, ...others] = miner.lines.filter(({ text }) => text.startsWith("{"))
    expect(others).toEqual([])
    const outcome = JSON.parse(json!.text)
    expect(outcome).toEqual({
      kernel: "avx2",
      cpu: expect.any(String),
      seconds: expect.any(Number),
      tried: expect.any(Number),
      kept: expect.any(Number),
      wrong: 0,
      gain: expect.any(Number),
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      stored: outcome.kept > 0 && outcome.gain > 1 ? join(directory, "schedules.json") : null,
      schedules: expect.any(Object),
    })
    expect(outcome.tried).toBeGreaterThan(0)
    expect(existsSync(join(directory, "schedules.json"))).toBe(outcome.stored !== null)
  },
  60_000,
)

test.skipIf(why !== undefined)(
  `Ctrl-C ends the search and reports what was found${skipped}`,
  async () => {
    const miner = new MinerProcess([...ARGS, "--minutes", "60"])
    await miner.line(/tuning avx2 for 60 minutes/)
    miner.kill("SIGINT")
    expect(await miner.ended).toBe(0)
    expect(miner.text).toMatch(/^avx2: [+-][\d.]+ % after \d+ candidates, \d+ kept, 0 wrong$/m)
  },
  60_000,
)

test.each([
  ["wasm", "--engine wasm cannot be tuned: available engines are auto, avx512, avx512-limbs, avx2"],
  ["abacus", "--engine abacus cannot be tuned"],
])("%s is a usage error", async (engine, message) => {
  const miner = new MinerProcess(["tune", "--engine", engine])
  expect(await miner.ended).toBe(64)
  expect(miner.text).toContain(message)
})
