import { expect, setDefaultTimeout, test } from "bun:test"
import { systemClock } from "../../src/clock.ts"
import { createCpuEngine } from "../../src/engines/cpu/cpu-engine.ts"
import { EngineSet } from "../../src/miner/engine-set.ts"
import { Miner } from "../../src/miner/miner.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { targetOf } from "../../src/pow/target.ts"
import { bytesToInteger } from "../../src/pow/u512.ts"
import type { Job, JobSource, Seal, SourceEvents, Verdict } from "../../src/sources/source.ts"
import { collectLog } from "../support/collect-log.ts"
import { NODE, recordingEvents } from "./support.ts"

// Real threads on a machine that may be busy with other things.
setDefaultTimeout(60_000)

/** A source that answers each seal with `answer` and ends mining when that returns "end". */
class ScriptedSource implements JobSource {
  readonly name = NODE
  readonly seals: Seal[] = []
  #events: SourceEvents | undefined
  #end = () => {}

  constructor(
    readonly first: Job,
    readonly answer: (count: number) => Job | "same" | "end",
  ) {}

  async mine(miner: (source: JobSource) => Miner): Promise<void> {
    const abort = new AbortController()
    this.#end = () => abort.abort()
    await miner(this).run(abort.signal)
  }

  start(events: SourceEvents): void {
    this.#events = events
    events.connected(this.name)
    events.job(this.first)
  }

  async submit(seal: Seal): Promise<Verdict> {
    this.seals.push(seal)
    const next = this.answer(this.seals.length)
    if (next === "end") this.#end()
    else if (next !== "same") queueMicrotask(() => this.#events?.job(next))
    return { result: "accepted" }
  }

  async close(): Promise<void> {
    this.#events = undefined
  }
}

async function mine(source: ScriptedSource, events: string[] = []): Promise<Seal[]> {
  const log = collectLog()
  const random = (bytes: number) => new Uint8Array(bytes).fill(0x5a)
  await source.mine(source => {
    const engine = createCpuEngine({ kernel: "wasm", workers: 2, random, clock: systemClock, log })
    return new Miner({
      source,
      engines: new EngineSet([engine]),
      events: recordingEvents(events),
      clock: systemClock,
      log,
    })
  })
  expect(log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([])
  for (const { job, nonce, hash, hashes } of source.seals) {
    expect(nonceHash(job.header, nonce)).toEqual(hash)
    expect(bytesToInteger(hash) < targetOf(job.difficulty)).toBe(true)
    expect(hashes).toBeGreaterThan(0n)
  }
  expect(new Set(source.seals.map(({ nonce }) => nonce.toHex())).size).toBe(source.seals.length)
  return source.seals
}

const job = (id: string, more: Partial<Job> = {}): Job => ({
  id,
  source: NODE,
  header: new Uint8Array(32).fill(Number(id)),
  difficulty: 200n,
  prefix: new Uint8Array(0),
  afterSeal: "wait",
  receivedAt: systemClock.now(),
  ...more,
})

test("a node's consecutive jobs, one of them sent twice", async () => {
  const jobs = [job("2"), job("2"), job("3")]
  const events: string[] = []
  const seals = await mine(new ScriptedSource(job("1"), count => jobs[count - 1] ?? "end"), events)
  expect(seals.map(({ job }) => job.id)).toEqual(["1", "2", "2", "3"])
  const ends = events.filter(line => line.startsWith("jobEnded"))
  expect(ends).toEqual(["jobEnded 1 completed", "jobEnded 2 completed", "jobEnded 3 completed"])
})

test("a pool's job with many shares", async () => {
  const prefix = Uint8Array.of(0xca, 0xfe)
  const pool = job("1", { difficulty: 50n, prefix, afterSeal: "continue" })
  const seals = await mine(new ScriptedSource(pool, count => (count === 50 ? "end" : "same")))
  expect(seals.length).toBeGreaterThanOrEqual(50)
  expect(seals.every(({ nonce }) => nonce[0] === 0xca && nonce[1] === 0xfe)).toBe(true)
})
