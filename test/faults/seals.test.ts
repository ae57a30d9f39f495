/** Large numbers of seals: each is valid and sent once, and the hash counts agree with luck. */
import { expect, test } from "bun:test"
import { createKernel, KERNELS, variantsOf } from "../../src/engines/cpu/kernels.ts"
import { readEffectiveCpus } from "../../src/host/linux/effective-cpus.ts"
import { refusalOf } from "../support/kernels.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { isValid, startScriptedNode, type TestPeer } from "./scripted-node.ts"

const { SEALS = "100000", SEALS_OF_OTHERS = "10000" } = process.env
/** Run in parallel, so that a CPU is busy while one of them waits for the network. */
const MINERS = 2
const DIFFICULTY = 500
/** Candidates that fail verification, because a carry was dropped: one in 15 runs of 100,000 seals has one, none has three. */
const MAX_FAILED = 2
/** Too hard to be sealed while a test lasts. */
const TOO_HARD = 10n ** 30n

/** Usually fastest first. */
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
      workers: 1,
      options: [`--engine=${engine}`],
    }
    const shares = await Promise.all(Array.from({ length: MINERS }, () => mine(share)))
    // A single worker tests nonces in order, so its count is the seal's position, after that of a candidate that failed.
    for (const { works, failed, counts, kernel } of shares) {
      const row = rowOf(kernel ?? engine)
      expect(counts).toEqual(works.map((work, i) => sum([...failed[i]!, work].map(nonce => placeOf(nonce, row)))))
    }
    expect(shares.flatMap(share => share.failed.flat()).length).toBeLessThanOrEqual(MAX_FAILED)
    judge(`${wanted} seals by ${engine}`, DIFFICULTY, shares)
  }, 1_800_000)
}

const { count: CPUS } = await readEffectiveCpus()
/** Miners with a worker on every CPU each, so that workers interrupt each other at any moment. */
const CROWDED_MINERS = 3
const CROWD = `${CROWDED_MINERS * CPUS} workers on ${CPUS} ${CPUS === 1 ? "CPU" : "CPUs"}`

/** Difficulties around the number of nonces in a row. */
const SEARCHES: readonly [difficulty: number, wanted: number][] = [
  [1, 2000],
  [10, 5000],
  [100, 20_000],
  [256, 20_000],
  [1000, 5000],
  [10_000, 2000],
]
for (const [difficulty, wanted] of SEARCHES) {
  test(`${CROWD}, difficulty ${difficulty}`, async () => {
    const shares = await mineCrowded({ wanted, difficulty, options: [] })
    judge(`seals by ${CROWD} at difficulty ${difficulty}`, difficulty, shares)
  }, 300_000)
}

test(`${CROWD}, continuing after their seals`, async () => {
  const difficulty = 10_000
  const shares = await mineCrowded({ wanted: 6000, difficulty, ofAJob: 500, options: ["--keep-mining"] })
  judge(`seals by ${CROWD} that continue`, difficulty, shares)
}, 300_000)

interface Share {
  readonly wanted: number
  readonly difficulty: number
  /** Worker threads, at most the CPUs. */
  readonly workers: number
  readonly options: readonly string[]
  /** Results to await before the next job is sent. */
  readonly ofAJob?: number
}

/** Divides the seals among miners that share the CPUs. */
const mineCrowded = ({ wanted, options, ...rest }: Omit<Share, "workers">) =>
  Promise.all(
    Array.from({ length: CROWDED_MINERS }, () =>
      mine({
        ...rest,
        wanted: Math.ceil(wanted / CROWDED_MINERS),
        workers: CPUS,
        options: [`--engine=${engines[0]}`, ...options],
      }),
    ),
  )

/** Lets one miner seal jobs in sequence. */
async function mine({ wanted, difficulty, workers, options, ofAJob = 1 }: Share) {
  const node = await startScriptedNode()
  const where = ["--node-addr", `127.0.0.1:${node.port}`, ...node.credentials]
  const miner = new MinerProcess(["serve", ...where, `--cpu-workers=${workers}`, ...options])
  const peer = await node.peer()
  expect(miner.workers).toHaveLength(workers)
  const kernel = await chosenKernel(miner, peer, options)
  const works: string[] = []
  const counts: number[] = []
  const jobs: string[] = []
  let [valid, next] = [0, 0]
  while (works.length < wanted) {
    const job = peer.sendJob(BigInt(difficulty))
    for (let of = 0; of < ofAJob; of++) {
      const arrival = await peer.resultOf(job.id, next)
      const { result } = arrival
      // A job has one result, except if the search continues: then results that cross the next job belong to no job.
      if (ofAJob === 1) expect(peer.results).toHaveLength(next + 1)
      next = peer.results.indexOf(arrival, next) + 1
      counts.push(Number(result.hash_count))
      works.push(result.work!)
      jobs.push(job.id)
      if (isValid(job, result)) valid++
    }
  }
  expect(await miner.stop()).toBe(0)
  await node.close()
  const restarts = miner.lines.filter(({ text }) => /^\[warn\].*was replaced:/.test(text)).length
  const failed = failedCandidates(miner)
  return { works, failed: jobs.map(job => failed.get(job) ?? []), counts, valid, restarts, kernel }
}

/**
 * Waits until the miner has measured the variants of its engine that suit this CPU.
 * @returns the fastest one's name; undefined if there is no choice
 */
async function chosenKernel(miner: MinerProcess, peer: TestPeer, options: readonly string[]) {
  const engine = options.find(option => option.startsWith("--engine="))?.slice("--engine=".length)
  if (engine && variantsOf(engine).length === 1) return undefined
  peer.sendJob(TOO_HARD)
  const { text } = await miner.line(/; using /)
  return /; using ([^ ,]+)/.exec(text)![1]!
}

/** @returns the nonces that failed verification, by job */
function failedCandidates({ lines }: MinerProcess): Map<string, string[]> {
  const failed = new Map<string, string[]>()
  for (const { text } of lines) {
    const [, nonce, job] = / reported nonce (\w+), which failed verification for job ([^,]+),/.exec(text) ?? []
    if (job) failed.set(job, [...(failed.get(job) ?? []), nonce!])
  }
  return failed
}

function rowOf(name: string): number {
  const kernel = createKernel(name)
  kernel.close()
  return kernel.row
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
      `${deviations.toFixed(2)} standard deviations; ${sum(shares.map(share => share.restarts))} workers replaced, ` +
      `${shares.flatMap(share => share.failed.flat()).length} candidates failed verification`,
  )
  expect([valid, new Set(works).size]).toEqual([works.length, works.length])
  if (difficulty === 1) expect(shares.flatMap(share => share.counts).filter(count => count !== 1)).toEqual([])
  // One run in 1.7 million is further away by chance.
  expect(deviations).toBeLessThan(5)
}

/** A nonce's position in its plane (see `kernel/nonce-plane.ts`), counted from 1; the base's second half has equal limbs. */
function placeOf(work: string, row: number): number {
  const limbs = new DataView(Uint8Array.fromHex(work).buffer, 32)
  // Limbs 0 and 4 move by −4 t0 + 3 t1 and by its opposite, limbs 1 and 5 by 17 t0 − 4 t1.
  const [first, second] = [0, 4].map(at => (limbs.getUint32(at, true) - limbs.getUint32(at + 16, true)) / 2)
  const t0 = (4 * first! + 3 * second!) / 35
  const t1 = (17 * first! + 4 * second!) / 35
  return row * t0 + t1 + 1
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
