import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { ExitCode, OperatorError } from "../../../src/errors.ts"
import { U512_MAX } from "../../../src/pow/u512.ts"
import { newAcceptance } from "../../../src/sources/acceptance.ts"
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
  test("sends login, password and agent", async () => {
    await startWith()
    expect(pool.sent[0]).toEqual({
      id: 1,
      method: "login",
      params: { login: "qzTest.rig", pass: "x", agent: "quantus-miner/test" },
    })
  })

  test("the extranonce becomes the prefix, and the search continues after a share", async () => {
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

  test("a single rejection is retried", async () => {
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

  test("three in a row that blame a password in a file wait for it to be renewed", async () => {
    const password = { description: "the password in /pool/password", isRenewable: true, read: () => "x" }
    pool = new FakePool("pool.test", { password })
    source = pool.source
    pool.logins = ["Invalid password"]
    source.start(events)
    await pool.elapse(3_600_000)
    expect(events.count("failed")).toBe(0)
    expect(events.events).toContainEqual({
      kind: "unusable",
      message: "the pool rejects the login: Invalid password; waiting for it to be renewed",
    })
    pool.logins = [undefined]
    await pool.elapse(300_000)
    expect(events.count("connected")).toBe(1)
  })

  test("rejections for other reasons are retried without end", async () => {
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

  test("a password is never shown, even if the pool repeats it", async () => {
    pool.password = "hunter22"
    pool.logins = ["Invalid password hunter22"]
    source.start(events)
    await pool.elapse(60_000)
    const reported = JSON.stringify([events.events, pool.log.lines, (await events.next("failed")).error.message])
    expect(reported).not.toContain("hunter22")
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

  test("seq that begins again within a session is followed at the third job, with one line", async () => {
    source.start(events)
    await events.next("connected")
    pool.say(wireJob({ job_id: "a", seq: 500 }))
    for (const [job_id, seq] of [
      ["b", 1],
      ["c", 2],
      ["d", 3],
      ["e", 4],
    ] as const)
      pool.say(wireJob({ job_id, seq }))
    const ids = [await events.nextJob(), await events.nextJob(), await events.nextJob()].map(job => job.id)
    expect(ids).toEqual(["a", "d", "e"])
    expect(pool.log.texts.filter(line => line.includes("began again"))).toEqual([
      "warn the seq of the pool's jobs began again: 3 follows 500",
    ])
  })

  test("seq restarts with every login", async () => {
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

  test("a new one that is not clean leaves shares of the old one valid", async () => {
    const old = await startWith()
    const { method, params } = wireJob({ job_id: "2-1", extranonce: "00131609" })
    pool.say({ method, params: { ...params, clean_jobs: false } })
    await events.nextJob()
    expect(await source.submit(sealOf(old))).toEqual({ result: "accepted" })
    pool.offer(second)
    await events.nextJob()
    expect(await source.submit(sealOf(old, 2))).toEqual({ result: "stale" })
  })

  test("a job with the same id and another extranonce is another job", async () => {
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

  test("are matched to their answers by id, in any order", async () => {
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

  test("KEEPALIVED is never the answer to a share", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    const { id } = pool.submits()[0]!
    pool.answer(id, { status: "KEEPALIVED" })
    pool.answer(id, undefined, { message: "stale" })
    expect(await verdict).toEqual({ result: "rejected", reason: "stale" })
  })

  test("one that a talking pool does not answer for 30 s is lost; a late answer changes nothing", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    for (let i = 0; i < 6; i++) {
      await pool.elapse(5000)
      pool.say({ method: "notice" })
    }
    expect(await verdict).toEqual({ result: "lost" })
    pool.answer(pool.submits()[0]!.id, { status: "OK" })
    pool.drop()
    await pool.elapse(5000)
    expect(pool.submits()).toHaveLength(1)
  })

  test("an answer without an id belongs to the only request", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    pool.say({ result: { status: "OK" }, error: [] })
    expect(await verdict).toEqual({ result: "accepted" })
  })

  test("answers of a pool that gives no ids are taken in order", async () => {
    pool.givesIds = false
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2, 3].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(3)
    pool.say({ result: true })
    pool.say({ error: "low" })
    pool.say({ result: [true] })
    expect(await Promise.all(verdicts)).toEqual([
      { result: "accepted" },
      { result: "rejected", reason: "low" },
      { result: "accepted" },
    ])
  })

  test("an answer without an id is ignored while two requests wait", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(2)
    pool.say({ result: { status: "OK" } })
    pool.say({ id: String(pool.submits()[0]!.id), result: { status: "OK" } })
    expect(await verdicts[0]).toEqual({ result: "accepted" })
    pool.say({ error: "low" })
    expect(await verdicts[1]).toEqual({ result: "rejected", reason: "low" })
  })

  test('one in flight when the connection ends is sent once more; then "duplicate" means accepted', async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    pool.drop()
    pool.answering = true
    pool.rejectWith("Duplicate share")
    await pool.elapse((await events.next("disconnected")).retryIn)
    expect(await verdict).toEqual({ result: "accepted" })
    expect(pool.submits().map(({ params }) => params.nonce)).toEqual([
      sealOf(job).nonce.toHex(),
      sealOf(job).nonce.toHex(),
    ])
  })

  test.each([
    ["another extranonce", {}, "00131610"],
    ["another difficulty", { difficulty: 2n }, "00131609"],
    ["another header", { header: headerOf(5) }, "00131609"],
  ])("one in flight is lost if its job comes back with %s", async (_what, fields, extranonce) => {
    const job = await startWith()
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    pool.extranonce = extranonce
    pool.drop()
    pool.offer({ ...first, ...fields })
    await pool.elapse((await events.next("disconnected")).retryIn)
    expect(await verdict).toEqual({ result: "lost" })
    expect(pool.submits()).toHaveLength(1)
  })

  test("held ones below a raised difficulty are void, with one line", async () => {
    const job = await startWith()
    pool.drop()
    const verdicts = [1, 2, 3].map(salt => source.submit(sealOf(job, salt)))
    pool.offer({ ...first, difficulty: U512_MAX })
    await pool.elapse((await events.next("disconnected")).retryIn)
    expect(await Promise.all(verdicts)).toEqual(Array(3).fill({ result: "stale" }))
    expect(pool.submits()).toEqual([])
    expect(pool.log.texts.filter(text => text.includes("higher difficulty"))).toHaveLength(1)
  })

  test("an error of the pool that answers none of them is shown", async () => {
    await startWith()
    pool.say({ id: null, error: { code: 1, message: "maintenance at noon" } })
    expect(pool.log.lines).toContainEqual({ level: "warn", message: "the pool reports: maintenance at noon" })
  })
})

describe("a login that ends", () => {
  const pings = () => pool.sent.filter(({ method }) => method === "keepalived")
  const logins = () => pool.sent.filter(({ method }) => method === "login").length
  const unauthenticated = { code: 25, message: "Unauthenticated" }
  const unusable = () => events.events.filter(({ kind }) => kind === "unusable").length

  test("is renewed on the same connection, and the share is sent again", async () => {
    const job = await startWith()
    pool.rejectOnce("Unauthenticated")
    expect(await source.submit(sealOf(job))).toEqual({ result: "accepted" })
    expect([pool.connections, pool.submits().length]).toEqual([1, 2])
    expect(pool.sent.filter(({ method }) => method === "login")).toHaveLength(2)
  })

  test("is renewed once, although a share sent before is refused only after the new login", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(2)
    await settle()
    const [first, second] = pool.submits()
    pool.answering = true
    for (const { id } of [first!, second!]) {
      pool.answer(id, undefined, { code: 25, message: "Unauthenticated" })
      await settle()
    }
    expect(await Promise.all(verdicts)).toEqual([{ result: "accepted" }, { result: "accepted" }])
    expect([pool.connections, pool.submits().length, unusable()]).toEqual([1, 4, 0])
    expect(pool.sent.filter(({ method }) => method === "login")).toHaveLength(2)
  })

  test("is renewed if the answer to keepalived says so, whether or not there is a job", async () => {
    source.start(events)
    await events.next("connected")
    for (const expected of [2, 3]) {
      pool.answering = false
      await pool.elapse(30_000)
      pool.answer(pings().at(-1)!.id, undefined, unauthenticated)
      await settle()
      expect([logins(), pool.connections]).toEqual([expected, 1])
      pool.answering = true
      pool.offer(first)
      expect(await source.submit(sealOf(await events.nextJob()))).toEqual({ result: "accepted" })
      await pool.elapse(30_000)
    }
  })

  test("is not renewed twice if keepalived and a share say so", async () => {
    const job = await startWith()
    pool.answering = false
    await pool.elapse(30_000)
    const verdict = source.submit(sealOf(job))
    await pool.arrived(1)
    pool.answering = true
    for (const { id } of [...pool.submits(), ...pings()]) {
      pool.answer(id, undefined, unauthenticated)
      await settle()
    }
    expect(await verdict).toEqual({ result: "accepted" })
    expect([logins(), pool.connections, pool.submits().length]).toEqual([2, 1, 2])
  })

  test("is renewed once for a pool that refuses every keepalived so: it is no longer sent", async () => {
    await startWith()
    pool.answering = false
    for (let i = 0; i < 10; i++) {
      await pool.elapse(30_000)
      if (pings().length > i) pool.answer(pings()[i]!.id, undefined, unauthenticated)
      pool.offer(first)
    }
    expect([pings().length, logins(), pool.connections]).toEqual([2, 2, 1])
  })

  test("is renewed if an error without an id says so beside several shares, which are sent again", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(2)
    await settle()
    pool.answering = true
    pool.say({ id: null, error: unauthenticated })
    expect(await Promise.all(verdicts)).toEqual([{ result: "accepted" }, { result: "accepted" }])
    expect([logins(), pool.connections, pool.submits().length]).toEqual([2, 1, 4])
  })

  test("does not begin keepalived again if the pool refused it before", async () => {
    const job = await startWith()
    pool.answering = false
    await pool.elapse(30_000)
    pool.answer(pings()[0]!.id, undefined, { code: -3, message: "Unknown method" })
    pool.answering = true
    pool.rejectOnce("Unauthenticated")
    expect(await source.submit(sealOf(job))).toEqual({ result: "accepted" })
    await pool.elapse(50_000)
    expect([logins(), pings().length]).toEqual([2, 1])
  })

  test("is renewed before the pool has sent a job", async () => {
    source.start(events)
    await settle()
    pool.say({ id: null, error: { code: 25, message: "Unauthenticated" } })
    await settle()
    expect([pool.connections, pool.sent.filter(({ method }) => method === "login").length]).toEqual([1, 2])
  })

  test("a second time is renewed on a new connection; a third time the pool counts as down", async () => {
    const job = await startWith()
    pool.rejectWith("Unauthenticated")
    const verdict = source.submit(sealOf(job))
    await pool.elapse(1000)
    expect(pool.connections).toBe(2)
    await pool.elapse(1000)
    expect([pool.connections, unusable()]).toEqual([2, 1])
    pool.rejectWith(undefined)
    await pool.elapse(300_000)
    expect(await verdict).toEqual({ result: "accepted" })
  })

  test("five consecutive refused shares make the pool count as down, with its reason", async () => {
    const job = await startWith()
    pool.rejectWith("You are banned")
    for (let i = 0; i < 4; i++) await source.submit(sealOf(job, i))
    expect(unusable()).toBe(0)
    await source.submit(sealOf(job, 4))
    expect(unusable()).toBe(1)
    const { message, retryIn } = await events.next("disconnected")
    expect([message, retryIn]).toEqual(["the pool refused 5 shares in a row: You are banned", 10_000])
  })

  test("a temporary ban does not end the source", async () => {
    const job = await startWith()
    expect(await source.submit(sealOf(job))).toEqual({ result: "accepted" })
    pool.logins = ["Invalid login: worker not authorized"]
    pool.drop()
    await pool.elapse(3_600_000)
    expect([events.count("failed"), unusable() > 0]).toEqual([0, true])
    const waits = events.events.flatMap(event => (event.kind === "disconnected" ? [event.retryIn] : []))
    expect(Math.max(...waits)).toBe(300_000)
    pool.logins = [undefined]
    await pool.elapse(300_000)
    expect(events.count("connected")).toBe(2)
  })

  test("five refused shares after every attempt are tried again at intervals that grow to 5 min", async () => {
    const job = await startWith()
    pool.rejectWith("You are banned")
    const waits: number[] = []
    for (let attempt = 0; attempt < 7; attempt++) {
      for (let i = 0; i < 5; i++) await source.submit(sealOf(job, 5 * attempt + i))
      waits.push((await events.next("disconnected")).retryIn)
      await pool.elapse(waits.at(-1)!)
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
    expect([unusable(), events.count("failed")]).toEqual([7, 0])
  })

  test("an accepted share between refused ones begins their count again", async () => {
    const job = await startWith()
    for (let i = 0; i < 20; i++) {
      pool.rejectWith(i % 5 === 4 ? undefined : "low difficulty share")
      await source.submit(sealOf(job, i))
    }
    expect(unusable()).toBe(0)
  })

  test("late shares of a replaced job are no reason", async () => {
    const job = await startWith()
    pool.stopAnswering()
    const verdicts = [1, 2, 3, 4, 5, 6].map(salt => source.submit(sealOf(job, salt)))
    await pool.arrived(6)
    pool.offer(second)
    for (const { id } of pool.submits()) pool.answer(id, undefined, { code: 21, message: "Stale share" })
    await Promise.all(verdicts)
    expect(unusable()).toBe(0)
  })
})

describe("silence", () => {
  const unusable = () => events.events.filter(({ kind }) => kind === "unusable").length

  test("of 30 s after a share is a loss; the share is sent again, and a second silence counts as down", async () => {
    const job = await startWith()
    await source.submit(sealOf(job, 9))
    pool.stopAnswering()
    const verdict = source.submit(sealOf(job))
    await pool.arrived(2)
    await pool.elapse(31_000)
    expect((await events.next("disconnected")).message).toContain("no byte for 30 s after a share")
    await pool.elapse(1000)
    expect([pool.connections, pool.submits().length, unusable()]).toEqual([2, 3, 0])
    await pool.elapse(31_000)
    expect(unusable()).toBe(1)
    expect(await verdict).toEqual({ result: "lost" })
  })

  test("of ten job intervals is a loss, at least 60 s", async () => {
    pool.keepalive = false
    await startWith()
    for (let i = 0; i < 3; i++) {
      await pool.elapse(10_000)
      pool.offer(i % 2 === 0 ? second : first)
    }
    await pool.elapse(99_000)
    expect(events.count("disconnected")).toBe(0)
    await pool.elapse(2000)
    expect((await events.next("disconnected")).message).toBe("the pool is silent: no byte for 100 s")
  })

  test("of 5 min is a loss before three intervals were seen", async () => {
    pool.keepalive = false
    await startWith()
    await pool.elapse(299_000)
    expect(events.count("disconnected")).toBe(0)
    await pool.elapse(2000)
    expect(events.count("disconnected")).toBe(1)
  })
})

describe("before the login is answered", () => {
  test("a job is kept, and taken with the answer", async () => {
    pool.logins = []
    const { answer } = pool
    pool.answer = () => {}
    source.start(events)
    await settle()
    pool.say(wireJob({ job_id: "early" }))
    expect(events.events).toEqual([])
    answer.call(pool, 1, { id: 12, job: null })
    expect((await events.nextJob()).id).toBe("early")
  })
})

describe("connection", () => {
  test("keepalived is sent every 30 s", async () => {
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

  test("attempts wait 1 s, doubling to 30 s, and 1 s again after a connection that worked", async () => {
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
    await pool.elapse(29_000)
    pool.drop()
    const { retryIn } = await events.next("disconnected")
    expect(retryIn).toBe(30_000)
    await pool.elapse(retryIn)
    await events.nextJob()
    await pool.elapse(30_000)
    pool.drop()
    expect((await events.next("disconnected")).retryIn).toBe(1000)
  })

  test("the wait doubles if the pool sends a job and closes", async () => {
    pool.offer(first)
    source.start(events)
    for (let i = 0; i < 600; i++) {
      await pool.elapse(100)
      if (i % 3 === 2) pool.drop()
    }
    expect(pool.connections).toBeLessThanOrEqual(7)
  })

  test("a withdrawn job does not count towards the 30 s, which begin again with the next job", async () => {
    const withdraw = () => pool.say({ method: "job", params: { clean_jobs: true, job: null } })
    await startWith()
    for (const [wait, withJobMs] of [
      [1000, 29_900],
      [2000, 29_900],
      [1000, 30_000],
    ] as const) {
      await pool.elapse(29_900)
      withdraw()
      await pool.elapse(60_000)
      pool.offer(first)
      await pool.elapse(withJobMs)
      pool.drop()
      expect((await events.next("disconnected")).retryIn).toBe(wait)
      await pool.elapse(wait)
    }
  })

  test("an accepted share means that the connection worked", async () => {
    pool.failures = Array(5).fill({ reason: "refused", message: "refused" })
    pool.offer(first)
    source.start(events)
    await pool.elapse(40_000)
    expect(await source.submit(sealOf(await events.nextJob()))).toEqual({ result: "accepted" })
    pool.drop()
    expect((await events.next("disconnected")).retryIn).toBe(1000)
  })

  test("an unreadable first line ends it, and three in a row", async () => {
    source.start(events)
    const login = pool.logins
    pool.logins = []
    pool.answering = false
    const reply = pool.answer
    pool.answer = () => {}
    await settle()
    pool.raw("<!DOCTYPE html>\n<html>\n")
    const { reason, message } = await events.next("disconnected")
    expect([reason, message]).toEqual(["protocol", "the peer does not speak Stratum, it sent: <!DOCTYPE html>"])
    pool.answer = reply
    pool.logins = login
    pool.offer(first)
    await pool.elapse(1000)
    await events.nextJob()
    pool.raw("\u0007first\n")
    pool.raw("second\n")
    pool.say({ method: "notice" })
    pool.raw("third\n")
    expect(events.count("disconnected")).toBe(1)
    expect(pool.log.texts).toContain("warn ignored an unreadable line of the pool: first")
    pool.raw("fourth\nfifth\n")
    expect((await events.next("disconnected")).reason).toBe("protocol")
  })

  test("keepalived is sent only to a pool that announced it, and not after an error", async () => {
    const pings = () => pool.sent.filter(({ method }) => method === "keepalived")
    await startWith()
    pool.answering = false
    await pool.elapse(30_000)
    pool.answer(pings()[0]!.id, undefined, { code: -3, message: "Unknown method" })
    for (let i = 0; i < 10; i++) {
      await pool.elapse(30_000)
      pool.offer(first)
    }
    expect([pings().length, events.count("disconnected")]).toEqual([1, 0])
  })

  test("a BOM is stripped", async () => {
    await startWith()
    pool.raw(`\ufeff${JSON.stringify(wireJob({ job_id: "a" }))}\n`)
    expect((await events.nextJob()).id).toBe("a")
    expect(pool.log.lines).toEqual([])
  })

  describe("a certificate other than the pinned one", () => {
    const wrong = () => new OperatorError("The certificate is not the pinned one: renew the pin.", ExitCode.rejected)
    const renewable = { description: "the pin in /pool/pin", isRenewable: true, read: () => "" }

    /** The waits after this many connections on which the pin does not match. */
    const waitsAfter = async (count: number) => {
      pool.failures = Array.from({ length: count }, wrong)
      pool.drop()
      await pool.elapse(1000)
      const waits = events.events.flatMap(event => (event.kind === "disconnected" ? [event.retryIn] : [])).slice(1)
      for (let i = 1; i < count; i++) {
        await pool.elapse(waits.at(-1)!)
        waits.push((events.events.at(-1) as { retryIn: number }).retryIn)
      }
      return waits
    }

    test("is tried again at growing intervals if the pin was valid before", async () => {
      await source.submit(sealOf(await startWith()))
      expect(await waitsAfter(7)).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
      expect(events.events.at(-1)).toMatchObject({
        reason: "rejected",
        message: expect.stringMatching(/renew the pin\.; it was valid before, so it is tried again/),
      })
      await pool.elapse(300_000)
      expect([events.count("failed"), events.count("connected")]).toEqual([0, 2])
    })

    test("is waited for if the pin is in a file", async () => {
      pool = new FakePool("pool.test", { pin: renewable })
      source = pool.source
      await startWith()
      expect(await waitsAfter(2)).toEqual([10_000, 20_000])
      expect(events.events.at(-1)).toMatchObject({ message: expect.stringContaining("waiting for it to be renewed") })
      expect(events.count("failed")).toBe(0)
    })

    test("is known to a source that is created again after an accepted share", async () => {
      const acceptance = newAcceptance()
      pool = new FakePool("pool.test", { acceptance })
      source = pool.source
      await source.submit(sealOf(await startWith()))
      await source.close()
      const again = new FakePool("pool.test", { acceptance })
      again.failures = [wrong()]
      again.logins = ["Invalid payment address provided"]
      source = again.source
      const later = new Recorder()
      source.start(later)
      await again.elapse(600_000)
      expect([later.count("failed"), later.count("unusable") > 0]).toEqual([0, true])
    })
  })

  test("a permanent failure is reported once", async () => {
    pool.failures = [new OperatorError("The certificate is not the pinned one: renew the pin.", ExitCode.rejected)]
    source.start(events)
    expect((await events.next("failed")).error.exitCode).toBe(ExitCode.rejected)
    await pool.elapse(60_000)
    expect(pool.connections).toBe(1)
  })

  test("a line over 64 KiB ends the connection, and the source reconnects", async () => {
    await startWith()
    pool.raw("x".repeat(65_537))
    const { reason, retryIn } = await events.next("disconnected")
    expect(reason).toBe("protocol")
    await pool.elapse(retryIn)
    await events.next("connected")
  })

  test("warnings about a pool's messages are bounded", async () => {
    await startWith()
    for (let i = 0; i < 1000; i++) pool.say({ method: `unknown-${i}` })
    expect(pool.log.lines.length).toBeLessThanOrEqual(8)
  })

  test("close leaves no timer", async () => {
    const job = await startWith()
    pool.stopAnswering()
    void source.submit(sealOf(job))
    await source.close()
    expect(pool.clock.pending).toBe(0)
  })
})

test("jobs are read whole from pieces of any size", async () => {
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
  await pool.elapse(60_000)
  pool.say(wireJob({ job_id: "after", seq: 10 }))
  expect(events.events.some(event => event.kind === "job" && event.job.id === "after")).toBe(true)
})
