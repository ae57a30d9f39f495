/** Miners that were killed, and a development node that must still answer others. */
import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"

const ROUNDS = 5
const DEAD = 4

test("miners that were killed do not keep a node from answering others", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-faults-"))
  const node = new MinerProcess(["node", "--port=0", "--dir", directory, "--interval-ms=1000"])
  const times: number[] = []
  try {
    const { text } = await node.line(/listening on/)
    const [address] = /127\.0\.0\.1:\d+/.exec(text)!
    const settings = ["--cpu-workers=1", "--engine=wasm", "--gpu-devices=0", "--auth-token-file"]
    const mine = () =>
      new MinerProcess(["serve", "--node-addr", address, ...settings, join(directory, "miner-auth-token")])
    for (let round = 0; round < ROUNDS; round++) {
      const dead = Array.from({ length: DEAD }, mine)
      await Promise.all(dead.map(miner => miner.line(/connected to/)))
      for (const miner of dead) miner.kill("SIGKILL")
      // Jobs are sent to the dead, whose system refuses them.
      await Bun.sleep(1200)
      const miner = mine()
      const { at: from } = await miner.line(/effective CPU/)
      const { at } = await miner.line(/connected to/)
      times.push(at - from)
      await miner.stop()
    }
  } finally {
    await node.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  figure(
    `${DEAD} miners killed, then another connects`,
    `after at most ${Math.max(...times).toFixed(0)} ms of ${ROUNDS}`,
  )
  expect(Math.max(...times)).toBeLessThan(5000)
}, 180_000)
