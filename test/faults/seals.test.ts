/** Very many seals: each valid, each sent once, and as many hashes counted as they take on average. */
import { expect, test } from "bun:test"
import { targetOf, verifySeal } from "../../src/pow/target.ts"
import { hexToBytes } from "../../src/pow/u512.ts"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { startScriptedNode, type TestJob } from "./scripted-node.ts"

const { SEALS = "100000", SEALS_OF_OTHERS = "10000" } = process.env
const DIFFICULTY = 500n
const TARGET = targetOf(DIFFICULTY)

/** Best first, as the miner chooses. */
const engines = ["avx512", "avx2", "wasm", "wasm-narrow"].filter(isAvailable)

for (const [i, engine] of engines.entries()) {
  const wanted = Number(i === 0 ? SEALS : SEALS_OF_OTHERS)
  test(`${engine}: ${wanted} seals`, async () => {
    const start = performance.now()
    const { works, valid, hashes } = await mine(engine, wanted)
    const seconds = (performance.now() - start) / 1000
    const deviations = Math.abs(hashes / (valid * Number(DIFFICULTY)) - 1) * Math.sqrt(valid)
    figure(
      `${wanted} seals by ${engine}`,
      `${valid} valid, ${works.size} different, hashes ${(hashes / (valid * Number(DIFFICULTY))).toFixed(4)} of those expected (${deviations.toFixed(2)} standard deviations), ${(valid / seconds).toFixed(0)} a second`,
    )
    expect([valid, works.size]).toEqual([wanted, wanted])
    expect(deviations).toBeLessThan(3)
  }, 600_000)
}

/** Has an engine seal one job after another. */
async function mine(engine: string, wanted: number) {
  const node = await startScriptedNode()
  const credentials = [`--engine=${engine}`, ...node.credentials]
  const miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, ...credentials])
  const peer = await node.peer()
  const works = new Set<string>()
  let [valid, hashes] = [0, 0]
  const judge = (job: TestJob, work: string | null) => {
    works.add(work!)
    if (verifySeal(job.header, hexToBytes(work!), TARGET)) valid++
  }
  for (let i = 0; i < wanted; i++) {
    const job = peer.sendJob(DIFFICULTY)
    const { result } = await peer.resultOf(job.id, i)
    expect(peer.results).toHaveLength(i + 1)
    hashes += Number(result.hash_count)
    judge(job, result.work)
  }
  expect(await miner.stop()).toBe(0)
  await node.close()
  return { works, valid, hashes }
}

function isAvailable(engine: string): boolean {
  const zeros = ["0".repeat(64), "0".repeat(128)]
  const available = Bun.spawnSync([builtExecutable(), "hash", "--engine", engine, ...zeros]).success
  if (!available) console.log(`skipped: seals by ${engine}, which does not run here`)
  return available
}
