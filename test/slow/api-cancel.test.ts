/** How long the built executable takes to end a job, with every core hashing. */
import { afterAll, expect, test } from "bun:test"
import { availableParallelism } from "node:os"
import { distribution, figure, quantile } from "../faults/figures.ts"
import { MinerProcess } from "../support/miner-process.ts"

const ROUNDS = 300
const miner = new MinerProcess(["api", "--port", "0", "--cpu-workers", String(availableParallelism())])

afterAll(() => miner.stop())

test("a job is cancelled within 5 ms", async () => {
  const [, url] = /connected to (\S+)/.exec((await miner.line(/connected to http/)).text)!
  const post = (path: string, body = "") => fetch(url + path, { method: "POST", body })
  const job = {
    mining_hash: "ab".repeat(32),
    difficulty: String(2n ** 500n),
    nonce_start: "0".repeat(128),
    nonce_end: "f".repeat(128),
  }
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await post("/mine", JSON.stringify({ ...job, job_id: String(round) }))
    await Bun.sleep(10)
    const before = performance.now()
    const { status } = await post(`/cancel/${round}`)
    times.push(performance.now() - before)
    expect(status).toBe(200)
  }
  figure("a posted job is cancelled within 5 ms (median)", distribution(times))
  expect(quantile(times, 0.5)).toBeLessThan(5)
})
