/** Very many seals: each valid, each sent once, and as many hashes counted as they take on average. */
import { expect, test } from "bun:test"
import { targetOf, verifySeal } from "../../src/pow/target.ts"
import { hexToBytes } from "../../src/pow/u512.ts"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { startScriptedNode } from "./scripted-node.ts"

const { SEALS = "100000", SEALS_OF_OTHERS = "5000" } = process.env
/** Side by side, so that none of the machine's cores waits for the network. */
const MINERS = 2
const DIFFICULTY = 500n
const TARGET = targetOf(DIFFICULTY)

/** Best first, as the miner chooses. */
const engines = ["avx512", "avx2", "wasm", "wasm-narrow"].filter(isAvailable)

for (const [i, engine] of engines.entries()) {
  const wanted = Number(i === 0 ? SEALS : SEALS_OF_OTHERS)
  test(`${engine}: ${wanted} seals`, async () => {
    const start = performance.now()
    const shares = await Promise.all(Array.from({ length: MINERS }, () => mine(engine, wanted / MINERS)))
    const seconds = (performance.now() - start) / 1000
    const works = new Set(shares.flatMap(share => share.works))
    const [valid, hashes] = [sum(shares.map(share => share.valid)), sum(shares.map(share => share.hashes))]
    const restarts = sum(shares.map(share => share.restarts))
    const effort = hashes / (valid * Number(DIFFICULTY))
    const deviations = Math.abs(effort - 1) * Math.sqrt(valid)
    figure(
      `${wanted} seals by ${engine}`,
      `${valid} valid, ${works.size} different; ${effort.toFixed(4)} of the hashes expected, ` +
        `${deviations.toFixed(2)} standard deviations; ${(valid / seconds).toFixed(0)} a second, ${restarts} workers replaced`,
    )
    expect([valid, works.size]).toEqual([wanted, wanted])
    expect(deviations).toBeLessThan(3)
  }, 600_000)
}

/** Has an engine seal one job after another, each for one result. */
async function mine(engine: string, wanted: number) {
  const node = await startScriptedNode()
  const options = [`--engine=${engine}`, "--cpu-workers=1", ...node.credentials]
  const miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, ...options])
  const peer = await node.peer()
  const works: string[] = []
  let [valid, hashes] = [0, 0]
  for (let i = 0; i < wanted; i++) {
    const job = peer.sendJob(DIFFICULTY)
    const { result } = await peer.resultOf(job.id, i)
    expect(peer.results).toHaveLength(i + 1)
    hashes += Number(result.hash_count)
    works.push(result.work!)
    if (verifySeal(job.header, hexToBytes(result.work!), TARGET)) valid++
  }
  expect(await miner.stop()).toBe(0)
  await node.close()
  const restarts = miner.lines.filter(({ text }) => text.includes("was replaced:")).length
  return { works, valid, hashes, restarts }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

function isAvailable(engine: string): boolean {
  const zeros = ["0".repeat(64), "0".repeat(128)]
  const available = Bun.spawnSync([builtExecutable(), "hash", "--engine", engine, ...zeros]).success
  if (!available) console.log(`skipped: seals by ${engine}, which does not run here`)
  return available
}
