/** What the built miner takes until its first hash, and while it mines on two workers. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { refusalOf } from "../support/kernels.ts"
import { MinerProcess } from "../support/miner-process.ts"

const STARTS = 7
const MEGABYTES = 1e6
/** Seconds of mining, after which memory has settled: the runtime compiles hot code again in the first ones. */
const MINE_FOR = 10

const dir = mkdtempSync(join(tmpdir(), "quantus-miner-node-"))
let node: MinerProcess
let serve: string[]

beforeAll(async () => {
  node = new MinerProcess(["node", "--port", "0", "--dir", dir, "--difficulty", "50000000"])
  const [address] = /127\.0\.0\.1:\d+/.exec((await node.line(/Listening on/)).text)!
  const token = join(dir, "miner-auth-token")
  serve = ["serve", "--verbose", "--cpu-workers", "2", "--gpu-devices", "0", "--node-addr", address]
  serve.push("--auth-token-file", token)
})

afterAll(async () => {
  await node.stop()
  rmSync(dir, { recursive: true, force: true })
})

const engines = ["wasm", "avx2", "avx512"].filter(engine => refusalOf(engine) === undefined)

test.each(engines)("%s: milliseconds to the first hash, and memory below 200 MB", async engine => {
  const times: number[] = []
  for (let start = 0; start < STARTS; start++) {
    const began = performance.now()
    const miner = new MinerProcess([...serve, "--engine", engine])
    try {
      const job = await miner.line(/\[job\] .* difficulty/)
      const [, later] = /, ([\d.]+) ms/.exec((await miner.line(/first hash by/)).text)!
      times.push(job.at + Number(later) - began)
      if (start < STARTS - 1) continue
      await Bun.sleep(1000 * MINE_FOR)
      console.log(`${engine}: ${(miner.memory / MEGABYTES).toFixed(0)} MB resident`)
      expect(miner.memory).toBeLessThan(200 * MEGABYTES)
    } finally {
      await miner.stop()
    }
  }
  times.sort((a, b) => a - b)
  const [least, median, most] = [times[0]!, times[STARTS >> 1]!, times.at(-1)!].map(Math.round)
  console.log(`${engine}: first hash ${median} ms after the start (${least} … ${most})`)
})
