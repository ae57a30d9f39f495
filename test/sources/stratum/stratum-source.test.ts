import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { ExitCode, OperatorError } from "../../../src/errors.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import { settle } from "../../support/fake-clock.ts"
import { headerOf, Recorder, sealOf } from "../recorder.ts"
import { FakePool } from "./fake-pool.ts"

const first = { id: "1-1", header: headerOf(1), difficulty: 1n }
const second = { id: "2-1", header: headerOf(2), difficulty: 1n }

let pool: FakePool
let source: JobSource
let events: Recorder

beforeEach(() => {
  pool = new FakePool()
  source = pool.source
  events = new Recorder()
})
afterEach(() => source.close())

async function startWith(job = first) {
  pool.offer(job)
  source.start(events)
  return events.nextJob()
}

const wireJob = (fields: object) => ({
  method: "job",
  params: { clean_jobs: true, job: { mining_hash: headerOf(9).toHex(), difficulty: 1, ...fields } },
})

describe("login", () => {
  test("names login, password and agent", async () => {
    await startWith()
    expect(pool.sent[0]).toEqual({
      id: 1,
      method: "login",
      params: { login: "qzTest.rig", pass: "x", agent: "quantus-miner/test" },
    })
  })

  test("the extranonce becomes the prefix, and the search goes on after a share", async () => {
    const job = await startWith()
    expect(job.prefix.toHex()).toBe("00131609")
    expect(job.afterSeal).toBe("continue")
  })

  test("a null first job means waiting", async () => {
    source.start(events)
    await events.next("connected")
    await pool.elapse(120_000)
    expect(events.events).toHaveLength(1)
    pool.offer(first)
    expect((await events.nextJob()).id).toBe("1-1")
  })

  test("one rejection may pass", async () => {
    pool.logins = ["Invalid address", undefined]
    source.start(events)
    const { reason, message, retryIn } = await events.next("disconnected")
    expect({ reason, message }).toEqual({
      reason: "rejected",
      message: "the pool rejects the login: Invalid address",
    })
    await pool.elapse(retryIn)
    await events.next("connected")
  })

  test("three in a row that blame the login end it with exit code 77", async () => {
    pool.logins = ["Invalid payment address provided"]
    source.start(events)
    await settle()
    await pool.elapse(60_000)
    const { error } = await events.next("failed")
    expect(error).toBeInstanceOf(OperatorError)
    expect(error.exitCode).toBe(ExitCode.rejected)
    expect(error.message).toContain("--login")
    expect(pool.connections).toBe(3)
  })

  test("rejections for other reasons go on for ever", async () => {
    pool.logins = ["Too many connections, try later"]
    source.start(events)
    await pool.elapse(600_000)
    expect(events.count("failed")).toBe(0)
    expect(events.count("disconnected")).toBeGreaterThan(20)
  })

  test("no answer within 15 s is a timeout", async () => {
    source.start(events)
    pool.raw = () => {}
    await pool.elapse(15_000)
    expect((await events.next("disconnected")).reason).toBe("timeout")
  })

  test("a password is shown to nobody, also where the pool repeats it", async () => {
    pool.password = "hunter22"
    pool.logins = ["Invalid password hunter22"]
    source.start(events)
    await pool.elapse(60_000)
    const told = JSON.stringify([events.events, pool.log.lines, (await events.next("failed")).error.message])
    expect(told).not.toContain("hunter22")
  })
})

describe("jobs", () => {
  test("one with a lower seq than the last is out of order", async () => {
    source.start(events)
    await events.next("connected")
    pool.say(wireJob({ job_id: "a", seq: 5 }))
    pool.say(wireJob({ job_id: "b", seq: 4 }))
    pool.say(wireJob({ job_id: "c", seq: 5 }))
    pool.say(wireJob({ job_id: "d", seq: 6 }))
    const ids = [await events.nextJob(), await events.nextJob(), await events.nextJob()].map(job => job.id)
    expect(ids).toEqual(["a", "c", "d"])
  })

  test("seq counts anew with every login", async () => {
    source.start(events)
    await events.next("connected")
    pool.say(wireJob({ job_id: "a", seq: 5 }))
    pool.drop()
    await pool.elapse((await events.next("disconnected")).retryIn)
    await events.next("connected")
    pool.say(wireJob({ job_id: "b", seq: 1 }))
    expect((await events.nextJob()).id).toBe("b")
  })

  test("a difficulty beyond 2^53 is exact", async () => {
    const difficulty = 2n ** 100n + 1n
    expect((await startWith({ ...first, difficulty })).difficulty).toBe(difficulty)
  })

  test("null, or one that cannot be read, voids the job before it", async () => {
    await startWith()
    pool.say({ method: "job", params: { clean_jobs: true, job: null } })
    await events.next("noJob")
    pool.offer(first)
    await events.nextJob()
    pool.say(wireJob({ job_id: "a", mining_hash: "short" }))
    await events.next("noJob")
    expect(pool.log.lines.map(({ message }) => message).join()).toContain("mining_hash")
  })

  test("a new one that is not clean leaves shares of the old one welcome", async () => {
    const old = await startWith()
    const { method, params } = wireJob({ job_id: "2-1", extranonce: "00131609" })
    pool.say({ method, params: { ...params, clean_jobs: false } })
    await events.nextJob()
    expect(await source.submit(sealOf(old))).toEqual({ result: "accepted" })
    pool.offer(second)
    await events.nextJob()
    expect(await source.submit(sealOf(old, 2))).toEqual({ result: "stale" })
  })

  test("a job of the same name with another extranonce is another job", async () => {
    const job = await startWith()
    pool.extranonce = "00131610"
    pool.offer(first)
    await events.nextJob()
    expect(await source.submit(sealOf(job))).toEqual({ result: "stale" })
  })
})

describe("shares", () => {
  test("carry session, job, nonce and hash", async () => {
    const job = await startWith()
    const seal = sealOf(job)
    expect(await source.submit(seal)).toEqual({ result: "accepted" })
    expect(pool.submits()).toEqual([
      {
        id: 2,
        method: "submit",
        params: { id: "session", job_id: "1-1", nonce: seal.nonce.toHex(), result: seal.hash.toHex() },
      },
    ])
  })

  test("are matched to their answers by id, in whatever order these come", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2, 3].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(3)
    const [a, b, c] = pool.submits().map(({ id }) => id) as [number, number, number]
    pool.answer(c, { status: "OK" })
    pool.answer(a, undefined, { code: 21, message: "duplicate share" })
    pool.answer(b, { status: "OK" })
    expect(await Promise.all(verdicts)).toEqual([
      { result: "rejected", reason: "duplicate share" },
      { result: "accepted" },
      { result: "accepted" },
    ])
  })

  test("KEEPALIVED is never the answer to one", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    const { id } = pool.submits()[0]!
    pool.answer(id, { status: "KEEPALIVED" })
    pool.answer(id, undefined, { message: "stale" })
    expect(await verdict).toEqual({ result: "rejected", reason: "stale" })
  })

  test("one without an answer for 30 s is lost and not sent again; a late answer changes nothing", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    await pool.elapse(30_000)
    expect(await verdict).toEqual({ result: "lost" })
    pool.answer(pool.submits()[0]!.id, { status: "OK" })
    pool.drop()
    await pool.elapse(5000)
    expect(pool.submits()).toHaveLength(1)
  })

  test("an error of the pool that answers none of them is shown", async () => {
    await startWith()
    pool.say({ id: null, error: { code: 1, message: "maintenance at noon" } })
    expect(pool.log.lines).toContainEqual({ level: "warn", message: "the pool says: maintenance at noon" })
  })
})

describe("connection", () => {
  test("keepalived goes out every 30 s", async () => {
    await startWith()
    await pool.elapse(95_000)
    const pings = pool.sent.filter(({ method }) => method === "keepalived")
    expect(pings).toHaveLength(3)
    expect(pings[0]!.params).toEqual({ id: "session" })
    expect(new Set(pings.map(({ id }) => id)).size).toBe(3)
  })

  test("a pool that stops answering is left after 15 s", async () => {
    await startWith()
    pool.stopAnswering()
    await pool.elapse(44_999)
    expect(events.count("disconnected")).toBe(0)
    await pool.elapse(1)
    expect((await events.next("disconnected")).reason).toBe("timeout")
  })

  test("attempts wait 1 s, doubling to 30 s, and 1 s again after a job", async () => {
    pool.failures = Array(8).fill({ reason: "refused", message: "refused" })
    source.start(events)
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      const { retryIn } = await events.next("disconnected")
      waits.push(retryIn)
      await pool.elapse(retryIn)
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    pool.offer(first)
    await events.nextJob()
    pool.drop()
    expect((await events.next("disconnected")).retryIn).toBe(1000)
  })

  test("a permanent failure is told once", async () => {
    pool.failures = [new OperatorError("The certificate is not the pinned one: renew the pin.", ExitCode.rejected)]
    source.start(events)
    expect((await events.next("failed")).error.exitCode).toBe(ExitCode.rejected)
    await pool.elapse(60_000)
    expect(pool.connections).toBe(1)
  })

  test("a line over 64 KiB ends the connection, and another is made", async () => {
    await startWith()
    pool.raw("x".repeat(65_537))
    const { reason, retryIn } = await events.next("disconnected")
    expect(reason).toBe("protocol")
    await pool.elapse(retryIn)
    await events.next("connected")
  })

  test("warnings about what a pool sends are few", async () => {
    await startWith()
    for (let i = 0; i < 1000; i++) pool.say({ method: `unknown-${i}` })
    expect(pool.log.lines.length).toBeLessThanOrEqual(8)
  })

  test("nothing is left behind", async () => {
    const job = await startWith()
    pool.stopAnswering()
    void source.submit(sealOf(job))
    await source.close()
    expect(pool.clock.pending).toBe(0)
  })
})

test("jobs come whole in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), async sizes => {
      const pool = new FakePool()
      const events = new Recorder()
      pool.source.start(events)
      await events.next("connected")
      const text = [1, 2, 3].map(n => `${JSON.stringify(wireJob({ job_id: `job ${n}` }))}\n`).join("")
      for (let at = 0, i = 0; at < text.length; i++) {
        const size = sizes[i % sizes.length]!
        pool.raw(text.slice(at, at + size))
        at += size
      }
      const ids = [await events.nextJob(), await events.nextJob(), await events.nextJob()].map(job => job.id)
      await pool.source.close()
      expect(ids).toEqual(["job 1", "job 2", "job 3"])
    }),
    { numRuns: 50 },
  )
})

test("fuzzed lines never break the source", async () => {
  await startWith()
  const bytes = fc.uint8Array({ maxLength: 200 })
  const mutated = fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => {
    const line = new TextEncoder().encode(`${JSON.stringify(wireJob({ job_id: "fuzz", seq: 1 }))}\n`)
    line[at % line.length] = byte
    return line
  })
  fc.assert(
    fc.property(fc.oneof(bytes, mutated), data => {
      pool.raw(data)
    }),
    { numRuns: 3000 },
  )
  pool.raw("\n")
  pool.say(wireJob({ job_id: "after", seq: 10 }))
  await pool.elapse(60_000)
  expect(events.events.some(event => event.kind === "job" && event.job.id === "after")).toBe(true)
})
