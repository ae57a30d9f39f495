/** The HTTP job API, the miner and a real engine together: ranges are searched exactly. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { systemClock as clock } from "../../src/clock.ts"
import { createCpuEngine } from "../../src/engines/cpu/cpu-engine.ts"
import { createKernel } from "../../src/engines/cpu/kernels.ts"
import { EngineSet } from "../../src/miner/engine-set.ts"
import { Miner } from "../../src/miner/miner.ts"
import { Stats } from "../../src/observe/stats.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { targetOf } from "../../src/pow/target.ts"
import { bytesToInteger, integerToBytes, U512_MAX } from "../../src/pow/u512.ts"
import { createApiSource } from "../../src/sources/api/api-source.ts"
import type { ApiJobResult } from "../../src/sources/api/job-queue.ts"
import { collectLog } from "../support/collect-log.ts"

const log = collectLog()
const source = createApiSource({ host: "127.0.0.1", port: 0, clock, log })
const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
const engine = createCpuEngine({ kernel: "wasm", workers: 2, random, clock, log })
const stats = new Stats({ clock, log, version: "test", units: () => engine.units })
const stop = new AbortController()
const miner = new Miner({ source, engines: new EngineSet([engine]), events: stats, clock, log })
let mining: Promise<void>

beforeAll(() => {
  mining = miner.run(stop.signal)
})
afterAll(async () => {
  stop.abort()
  await mining
  stats.close()
})

const header = new Uint8Array(32).fill(0x5a)
const hex = (nonce: bigint) => integerToBytes(nonce).toHex()
const hashOf = (nonce: bigint) => bytesToInteger(nonceHash(header, integerToBytes(nonce)))
let jobs = 0

/** Posts a range and polls until the job has ended. */
async function mine(first: bigint, last: bigint, difficulty: bigint): Promise<ApiJobResult> {
  const job_id = `job ${++jobs}`
  const body = {
    job_id,
    mining_hash: header.toHex(),
    difficulty: String(difficulty),
    nonce_start: hex(first),
    nonce_end: hex(last),
  }
  const { status } = await fetch(`${source.name}/mine`, { method: "POST", body: JSON.stringify(body) })
  expect(status).toBe(200)
  for (;;) {
    const response = await fetch(`${source.name}/result/${encodeURIComponent(job_id)}`)
    const result = (await response.json()) as ApiJobResult
    if (result.status !== "running") return result
  }
}

/** The nonce with the lowest hash in a range, and the lowest difficulty that only this nonce meets. */
function best(first: bigint, last: bigint): { nonce: bigint; difficulty: bigint } {
  let nonce = first
  let lowest = U512_MAX
  let second = U512_MAX
  for (let candidate = first; candidate <= last; candidate++) {
    const hash = hashOf(candidate)
    if (hash < lowest) [nonce, second, lowest] = [candidate, lowest, hash]
    else if (hash < second) second = hash
  }
  const difficulty = U512_MAX / second + 1n
  expect(targetOf(difficulty)).toBeGreaterThan(lowest)
  return { nonce, difficulty }
}

describe("a range is searched exactly", () => {
  test.each([
    ["from zero", 0n, 150n],
    ["over the carry into the second limb", 2n ** 32n - 70n, 2n ** 32n + 70n],
    ["over the carry into the third limb", 2n ** 64n - 70n, 2n ** 64n + 70n],
    ["over the middle", 2n ** 256n - 70n, 2n ** 256n + 70n],
    ["over every carry at once", 2n ** 511n - 70n, 2n ** 511n + 70n],
    ["to the last nonce there is", U512_MAX - 150n, U512_MAX],
  ])("%s", async (_, first, last) => {
    const { nonce, difficulty } = best(first, last)
    expect(await mine(first, last, difficulty)).toMatchObject({ status: "completed", nonce: hex(nonce) })
    expect(await mine(nonce, nonce, difficulty)).toMatchObject({ status: "completed", hash_count: 1 })
    for (const [from, to] of [
      [first, nonce - 1n],
      [nonce + 1n, last],
    ] as const) {
      if (from > to) continue
      expect(await mine(from, to, difficulty)).toMatchObject({ status: "failed", hash_count: Number(to - from) + 1 })
    }
  })

  test("the full nonce space yields a seal quickly", async () => {
    const { status, nonce } = await mine(0n, U512_MAX, 2000n)
    expect(status).toBe("completed")
    expect(hashOf(BigInt(`0x${nonce}`))).toBeLessThan(targetOf(2000n))
  })

  test("a range may consist of several slices", async () => {
    const size = 300_000n
    expect(await mine(2n ** 40n - 5n, 2n ** 40n - 6n + size, U512_MAX)).toMatchObject({
      status: "failed",
      hash_count: Number(size),
    })
  }, 60_000)

  test("over a pause, every nonce once", async () => {
    const size = 1_000_000n
    // A row of each worker, and one that it begins before it reads the pause.
    const rowsUnderWay = BigInt(2 * engine.units.length * createKernel("wasm").row)
    const tested = () => engine.units.reduce((sum, { hashes }) => sum + hashes, 0n)
    const before = tested()
    const result = mine(2n ** 41n + 3n, 2n ** 41n + 2n + size, U512_MAX)
    let pauses = 0
    let next = before + 30_000n
    for (let at = before; at < before + size - 20_000n; at = tested()) {
      await Bun.sleep(5)
      if (tested() < next || pauses === 6) continue
      miner.setPaused("operator", true)
      const paused = tested()
      await Bun.sleep(40)
      expect(tested() - paused).toBeLessThanOrEqual(rowsUnderWay)
      miner.setPaused("operator", false)
      pauses += 1
      next = tested() + 30_000n
    }
    expect(pauses).toBeGreaterThan(1)
    expect(await result).toMatchObject({ status: "failed", hash_count: Number(size) })
  }, 60_000)
})
