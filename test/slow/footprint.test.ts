/** Time to the first hash and resident memory of the built executable with two workers. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { figure } from "../faults/figures.ts"
import { refusalOf } from "../support/kernels.ts"
import { MinerProcess } from "../support/miner-process.ts"

const STARTS = 7
const FIRST_STARTS = 3
const MEGABYTES = 1e6
/** Seconds of mining before memory is read: the runtime recompiles hot code in the first few. */
const MINE_FOR = 10

const dir = mkdtempSync(join(tmpdir(), "quantus-miner-node-"))
let node: MinerProcess
let serve: string[]

beforeAll(async () => {
  node = new MinerProcess(["node", "--port", "0", "--dir", dir, "--difficulty", "50000000"])
  const [address] = /127\.0\.0\.1:\d+/.exec((await node.line(/listening on/)).text)!
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
    const { time, miner } = await startMiner(["--engine", engine])
    try {
      times.push(time)
      if (start < STARTS - 1) continue
      await Bun.sleep(1000 * MINE_FOR)
      figure(`${engine}: resident memory, two workers`, `${(miner.memory / MEGABYTES).toFixed(0)} MB`)
      expect(miner.memory).toBeLessThan(200 * MEGABYTES)
    } finally {
      await miner.stop()
    }
  }
  figure(`${engine}: first hash after the start, engine given`, spread(times))
})

/** Kernels are measured while the first one mines. */
const MAX_FIRST_HASH_MS = 1000

test("engine auto: milliseconds to the first hash of a first start, which measures, and of a later one", async () => {
  const [first, later]: [number[], number[]] = [[], []]
  for (let start = 0; start < FIRST_STARTS; start++) {
    const state = mkdtempSync(join(tmpdir(), "quantus-miner-state-"))
    try {
      for (const times of [first, later]) {
        const { time, miner } = await startMiner(["--state-dir", state])
        times.push(time)
        await miner.stop()
      }
    } finally {
      rmSync(state, { recursive: true, force: true })
    }
  }
  figure("engine auto: first hash after a first start", spread(first))
  expect(first.toSorted((a, b) => a - b)[first.length >> 1]!).toBeLessThan(MAX_FIRST_HASH_MS)
  figure("engine auto: first hash after a later start", spread(later))
})

/** @returns milliseconds from the process's start to the first hash */
async function startMiner(flags: readonly string[]): Promise<{ readonly time: number; readonly miner: MinerProcess }> {
  const began = performance.now()
  const miner = new MinerProcess([...serve, ...flags])
  const job = await miner.line(/\[job\] .* difficulty/)
  const [, later] = /, ([\d.]+) ms/.exec((await miner.line(/first hash by/)).text)!
  return { time: job.at + Number(later) - began, miner }
}

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const [min, median, max] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map(Math.round)
  return `median ${median} ms (${min} … ${max})`
}
