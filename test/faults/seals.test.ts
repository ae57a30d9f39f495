/** Very many seals: each valid, each sent once, and as many hashes counted as they take on average. */
import { expect, test } from "bun:test"
import { createKernel, KERNELS } from "../../src/engines/cpu/kernels.ts"
import { refusalOf } from "../support/kernels.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { isValid, startScriptedNode } from "./scripted-node.ts"

const { SEALS = "100000", SEALS_OF_OTHERS = "10000" } = process.env
/** Side by side, so that none of the machine's cores waits for the network. */
const MINERS = 2
const DIFFICULTY = 500

/** Usually fastest first, as the miner tries them. */
const engines = Object.keys(KERNELS).filter(engine => {
  const why = refusalOf(engine)
  if (why) console.log(`skipped: seals by ${engine}: ${why}`)
  return !why
})

for (const [i, engine] of engines.entries()) {
  const wanted = Number(i === 0 ? SEALS : SEALS_OF_OTHERS)
  test(`${engine}: ${wanted} seals`, async () => {
    const share = {
      wanted: wanted / MINERS,
      difficulty: DIFFICULTY,
      options: [`--engine=${engine}`, "--cpu-workers=1"],
    }
    const kernel = createKernel(engine)
    const { row } = kernel
    kernel.close()
    const shares = await Promise.all(Array.from({ length: MINERS }, () => mine(share)))
    // One worker alone tries one nonce after another: what it counts is where in their order the seal is.
    for (const { works, counts } of shares) expect(counts).toEqual(works.map(work => placeOf(work, row)))
    judge(`${wanted} seals by ${engine}`, DIFFICULTY, shares)
  }, 600_000)
}

/** Around the nonces of a row, with many more workers than cores: they interrupt each other between two rows. */
const SEARCHES: readonly [difficulty: number, wanted: number][] = [
  [1, 2000],
  [10, 5000],
  [100, 20_000],
  [256, 20_000],
  [1000, 5000],
  [10_000, 2000],
]
for (const [difficulty, wanted] of SEARCHES) {
  test(`six workers, difficulty ${difficulty}`, async () => {
    judge(`${wanted} seals by six workers at difficulty ${difficulty}`, difficulty, [
      await mine({ wanted, difficulty, options: [`--engine=${engines[0]}`, "--cpu-workers=6"] }),
    ])
  }, 300_000)
}

test("six workers that search on after their seals", async () => {
  const [difficulty, wanted] = [10_000, 5000]
  judge(`${wanted} seals by six workers that search on`, difficulty, [
    await mine({
      wanted,
      difficulty,
      ofAJob: 500,
      options: [`--engine=${engines[0]}`, "--cpu-workers=6", "--keep-mining"],
    }),
  ])
}, 300_000)

interface Share {
  readonly wanted: number
  readonly difficulty: number
  readonly options: readonly string[]
  /** Results that are waited for before the next job is sent. */
  readonly ofAJob?: number
}

/** Has a miner seal one job after another. */
async function mine({ wanted, difficulty, options, ofAJob = 1 }: Share) {
  const node = await startScriptedNode()
  const miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, ...options, ...node.credentials])
  const peer = await node.peer()
  const works: string[] = []
  const counts: number[] = []
  let [valid, next] = [0, 0]
  while (works.length < wanted) {
    const job = peer.sendJob(BigInt(difficulty))
    for (let of = 0; of < ofAJob; of++) {
      const arrival = await peer.resultOf(job.id, next)
      const { result } = arrival
      // One result for a job that waits; where it is searched on, those that crossed the next job belong to none.
      if (ofAJob === 1) expect(peer.results).toHaveLength(next + 1)
      next = peer.results.indexOf(arrival, next) + 1
      counts.push(Number(result.hash_count))
      works.push(result.work!)
      if (isValid(job, result)) valid++
    }
  }
  expect(await miner.stop()).toBe(0)
  await node.close()
  const restarts = miner.lines.filter(({ text }) => /^\[warn\].*was replaced:/.test(text)).length
  return { works, counts, valid, restarts }
}

function judge(what: string, difficulty: number, shares: readonly Awaited<ReturnType<typeof mine>>[]): void {
  const works = shares.flatMap(share => share.works)
  const [valid, hashes] = [sum(shares.map(share => share.valid)), sum(shares.flatMap(share => share.counts))]
  const effort = hashes / (valid * difficulty)
  // A seal's hashes are geometric: their variance is the difficulty × (difficulty − 1).
  const deviations = Math.abs(effort - 1) * Math.sqrt(difficulty === 1 ? 1 : valid / (1 - 1 / difficulty))
  figure(
    what,
    `${valid} valid, ${new Set(works).size} different; ${effort.toFixed(4)} of the hashes expected, ` +
      `${deviations.toFixed(2)} standard deviations; ${sum(shares.map(share => share.restarts))} workers replaced`,
  )
  expect([valid, new Set(works).size]).toEqual([works.length, works.length])
  expect(deviations).toBeLessThan(3)
}

/** The how-manieth a nonce is of its plane (see `kernel/nonce-plane.ts`), whose base has equal limbs in its second half. */
function placeOf(work: string, row: number): number {
  const limbs = new DataView(Uint8Array.fromHex(work).buffer, 32)
  // Limbs 0 and 4 move by −4 t0 + 3 t1 and by its opposite, limbs 1 and 5 by 17 t0 − 4 t1.
  const [first, second] = [0, 4].map(at => (limbs.getUint32(at, true) - limbs.getUint32(at + 16, true)) / 2)
  const t0 = (4 * first! + 3 * second!) / 35
  const t1 = (17 * first! + 4 * second!) / 35
  return row * t0 + t1 + 1
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
