/** Worker threads of the built miner that are stopped or ended by ptrace. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { freeTcpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { type FrozenThread, freeze, freezeRefusal } from "../support/ptrace.ts"
import { figure } from "./figures.ts"
import { isValid, type ScriptedNode, startScriptedNode, type TestJob, type TestPeer } from "./scripted-node.ts"

const HARD = 10n ** 30n
const DIFFICULTY = 500n
const SEALS = 2000
/** Fewer than the failures after which a worker is given up. */
const FREEZES = 5
const MAX_REPLACEMENT_MS = 2000
const MAX_STOP_MS = 2000

const refusal = await freezeRefusal()
const suffix = refusal ? ` (skipped: ${refusal})` : ""

let node: ScriptedNode
let miner: MinerProcess
let peer: TestPeer
let metricsPort: number
let frozen: FrozenThread | undefined

beforeEach(async () => {
  frozen = undefined
  node = await startScriptedNode()
  metricsPort = freeTcpPort()
  const options = ["--cpu-workers=2", `--metrics-port=${metricsPort}`, ...node.credentials]
  miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, ...options])
  peer = await node.peer()
})

afterEach(async () => {
  miner.kill("SIGKILL")
  await ended()
  await node.close()
})

/** Stops a worker that hashes, after the kernels were measured. */
async function freezeWorker(): Promise<FrozenThread> {
  const job = peer.sendJob(HARD)
  await miner.line(new RegExp(job.id))
  await miner.line(/; using /)
  await Bun.sleep(200)
  return await freezeInKernel(() => hashingThreads()[0]!)
}

/** A thread that is frozen while it holds a lock of the runtime stops all threads, which is not the subject here. */
async function freezeInKernel(thread: () => number): Promise<FrozenThread> {
  for (;;) {
    frozen = await freeze(miner.pid, thread())
    if (frozen.isInKernel) return frozen
    frozen.resume()
    await Bun.sleep(5)
  }
}

/** The worker threads by CPU time, most first: others were only measured. */
function hashingThreads(): readonly number[] {
  const ticks = (thread: number) =>
    Number(readFileSync(`/proc/${miner.pid}/task/${thread}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[11])
  return miner.workers.toSorted((a, b) => ticks(b) - ticks(a))
}

async function restarts(): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
  return Number(/^miner_worker_restarts_total (\d+)$/m.exec(await answer.text())![1])
}

/** Lets the miner seal `count` jobs in sequence and checks each seal and the hash counts. @returns the nonces */
async function seal(count: number): Promise<string[]> {
  const jobs = new Map<string, TestJob>()
  const from = peer.results.length
  for (let i = 0; i < count; i++) {
    const job = peer.sendJob(DIFFICULTY)
    jobs.set(job.id, job)
    await peer.resultOf(job.id, from + i)
  }
  const results = peer.results.slice(from).map(({ result }) => result)
  expect(results).toHaveLength(count)
  expect(results.filter(result => isValid(jobs.get(result.job_id)!, result))).toHaveLength(count)
  const hashes = results.reduce((sum, { hash_count }) => sum + Number(hash_count), 0)
  const effort = hashes / count / Number(DIFFICULTY)
  figure(`${count} seals`, `${effort.toFixed(4)} of the hashes expected`)
  expect(Math.abs(effort - 1) * Math.sqrt(count)).toBeLessThan(5)
  return results.map(({ work }) => work!)
}

/** Stops the miner. @returns the time that it took in milliseconds */
async function stop(): Promise<number> {
  const start = performance.now()
  miner.kill("SIGTERM")
  expect(await ended()).toBe(0)
  expect(miner.text).toMatch(/stopped after [\d,]+ hashes/)
  return performance.now() - start
}

/** Settles with the exit code. */
async function ended(): Promise<number> {
  const reaping = setInterval(() => frozen?.reap(), 1)
  const code = await miner.exited
  clearInterval(reaping)
  return code
}

test.skipIf(refusal !== undefined)(
  `a frozen thread is replaced within 2 s and does no harm when it continues${suffix}`,
  async () => {
    const before = await seal(100)
    const frozen = await freezeWorker()
    const frozenAt = performance.now()
    const { at } = await miner.line(/was replaced: it made no progress/)
    figure("a frozen thread is replaced", `${(at - frozenAt).toFixed(0)} ms after it was frozen`)
    expect(at - frozenAt).toBeLessThan(MAX_REPLACEMENT_MS)
    expect(await restarts()).toBe(1)
    const beside = await seal(SEALS)
    const job = peer.sendJob(HARD)
    await miner.line(new RegExp(job.id))
    frozen.resume()
    const resumedAt = performance.now()
    await gone(frozen)
    figure("a replaced thread that continues is gone", `${(performance.now() - resumedAt).toFixed(0)} ms later`)
    const after = await seal(SEALS)
    expect(new Set([...before, ...beside, ...after]).size).toBe(100 + 2 * SEALS)
    expect(await restarts()).toBe(1)
    await stop()
  },
  300_000,
)

/** Freezes the worker that has run longest until it is replaced, then lets it continue and end. @returns its unit */
async function replaceOldest(): Promise<string> {
  const from = miner.lines.length
  const frozen = await freezeInKernel(() => miner.workers[0]!)
  const { text } = await miner.line(/was replaced: it made no progress/, from)
  frozen.resume()
  await gone(frozen)
  return /(\S+) was replaced/.exec(text)![1]!
}

/** Settles when a replaced thread has ended and two workers run; its replacement may start later than it is logged. */
async function gone({ thread }: FrozenThread): Promise<void> {
  while (miner.workers.includes(thread) || miner.workers.length !== 2) await Bun.sleep(5)
}

test.skipIf(refusal !== undefined)(
  `workers that are frozen one after the other during mining are each replaced, and cost no seal${suffix}`,
  async () => {
    let sealing = true
    const nonces: string[] = []
    const mining = (async () => {
      while (sealing) nonces.push(...(await seal(500)))
    })()
    await miner.line(/; using /)
    const units: string[] = []
    for (let i = 0; i < FREEZES; i++) {
      await Bun.sleep(Math.random() * 300)
      units.push(await replaceOldest())
    }
    sealing = false
    await mining
    const [first, second] = units
    expect(second).not.toBe(first)
    expect(units).toEqual(Array.from({ length: FREEZES }, (_, i) => (i % 2 === 0 ? first! : second!)))
    expect(await restarts()).toBe(FREEZES)
    expect(new Set(nonces).size).toBe(nonces.length)
    figure(`${FREEZES} workers frozen during mining`, `${units.join(", ")} replaced, ${nonces.length} seals`)
    await stop()
  },
  300_000,
)

test.skipIf(refusal !== undefined)(
  `a thread that ends without a report is replaced within 2 s${suffix}`,
  async () => {
    const frozen = await freezeWorker()
    await frozen.end()
    const endedAt = performance.now()
    const { at } = await miner.line(/was replaced: it made no progress/)
    figure("a thread that ended is replaced", `${(at - endedAt).toFixed(0)} ms after its end`)
    expect(at - endedAt).toBeLessThan(MAX_REPLACEMENT_MS)
    expect(await restarts()).toBe(1)
    expect(new Set(await seal(SEALS)).size).toBe(SEALS)
    const took = await stop()
    figure("the miner stops after a thread has ended", `${took.toFixed(0)} ms after the signal`)
    expect(took).toBeLessThan(MAX_STOP_MS)
  },
  300_000,
)

describe.skipIf(refusal !== undefined)(`the miner stops within 2 s${suffix}`, () => {
  test("with a frozen thread that is not yet detected", async () => {
    await freezeWorker()
    const took = await stop()
    figure("the miner stops with a frozen thread", `${took.toFixed(0)} ms after the signal`)
    expect(took).toBeLessThan(MAX_STOP_MS)
  }, 300_000)

  test("with a frozen thread that was replaced", async () => {
    await freezeWorker()
    await miner.line(/was replaced/)
    const took = await stop()
    figure("the miner stops with a frozen thread that was replaced", `${took.toFixed(0)} ms after the signal`)
    expect(took).toBeLessThan(MAX_STOP_MS)
  }, 300_000)
})
