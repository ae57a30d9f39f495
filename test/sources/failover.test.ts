import { beforeEach, describe, expect, test } from "bun:test"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { createFailover, DEFAULT_PATIENCE_MS } from "../../src/sources/failover.ts"
import type { Job, JobSource, Seal, SourceEvents, Verdict } from "../../src/sources/source.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock, settle } from "../support/fake-clock.ts"
import { describeContract } from "./contract.ts"
import { headerOf, Recorder, sealOf } from "./recorder.ts"
import { FakePool } from "./stratum/fake-pool.ts"

const PATIENCE = DEFAULT_PATIENCE_MS

/** A source that does what the test says. */
class Puppet implements JobSource {
  events: SourceEvents | undefined
  closed = false
  readonly submitted: Seal[] = []
  readonly exhaustedJobs: Job[] = []
  answer: (verdict: Verdict) => void = () => {}

  constructor(readonly name: string) {}

  start(events: SourceEvents): void {
    this.events = events
  }

  submit(seal: Seal): Promise<Verdict> {
    this.submitted.push(seal)
    return new Promise(resolve => {
      this.answer = resolve
    })
  }

  exhausted(job: Job): void {
    this.exhaustedJobs.push(job)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  up(): void {
    this.events!.connected(this.name)
  }

  down(): void {
    this.events!.disconnected("closed", "gone", 1000, this.name)
  }

  job(id: string, afterSeal: Job["afterSeal"] = "wait"): Job {
    const job: Job = {
      id,
      source: this.name,
      header: headerOf(1),
      difficulty: 1n,
      prefix: new Uint8Array(),
      afterSeal,
      receivedAt: 0,
    }
    this.events!.job(job)
    return job
  }
}

let clock: FakeClock
let log: ReturnType<typeof collectLog>
let events: Recorder
let failover: JobSource
let made: Record<"a" | "b" | "c", Puppet[]>

beforeEach(() => {
  clock = new FakeClock()
  log = collectLog()
  events = new Recorder()
  made = { a: [], b: [], c: [] }
  const maker = (name: "a" | "b" | "c") => () => {
    const puppet = new Puppet(name)
    made[name].push(puppet)
    return puppet
  }
  failover = createFailover({ sources: [maker("a"), maker("b"), maker("c")], clock, log })
  failover.start(events)
})

const latest = (name: "a" | "b" | "c") => made[name].at(-1)!
const jobs = () => events.events.flatMap(event => (event.kind === "job" ? [event.job.id] : []))
const counts = () => [made.a.length, made.b.length, made.c.length]

/** The first is up, then down until the second has taken over. */
async function switchToSecond(): Promise<void> {
  latest("a").up()
  latest("a").job("a1")
  latest("a").down()
  await clock.advance(PATIENCE)
  latest("b").up()
  latest("b").job("b1")
}

describe("the next source", () => {
  test("takes over with the job that it has had while the first one was up in between", async () => {
    latest("a").up()
    latest("a").job("a1")
    latest("a").down()
    await clock.advance(PATIENCE)
    latest("a").up()
    latest("a").job("a2")
    latest("b").up()
    latest("b").job("b1")
    expect(jobs()).toEqual(["a1", "a2"])
    latest("a").down()
    expect(jobs()).toEqual(["a1", "a2", "b1"])
  })

  test("is not started while the first is up, or down for less than the patience", async () => {
    latest("a").up()
    latest("a").job("a1")
    await clock.advance(600_000)
    latest("a").down()
    await clock.advance(PATIENCE - 1)
    latest("a").down()
    latest("a").up()
    latest("a").job("a1")
    await clock.advance(600_000)
    expect(counts()).toEqual([1, 0, 0])
  })

  test("is started when the first is connected and has no job", async () => {
    latest("a").up()
    await clock.advance(PATIENCE - 1)
    expect(counts()).toEqual([1, 0, 0])
    await clock.advance(1)
    expect(counts()).toEqual([1, 1, 0])
    latest("b").up()
    latest("b").job("b1")
    latest("a").job("a1")
    await settle()
    expect([jobs(), latest("a").closed, latest("b").closed]).toEqual([["b1", "a1"], false, true])
  })

  test("is started when the first withdraws its job without another", async () => {
    latest("a").up()
    latest("a").job("a1")
    await clock.advance(600_000)
    latest("a").events!.noJob()
    await clock.advance(PATIENCE)
    expect(counts()).toEqual([1, 1, 0])
    expect(events.count("noJob")).toBe(1)
  })

  test("takes over from a source that repeatedly sends a job and closes, and stays active", async () => {
    for (const wait of [1000, 2000, 4000, 8000]) {
      latest("a").up()
      latest("a").job("a1")
      await clock.advance(300)
      latest("a").down()
      await clock.advance(wait)
    }
    expect(counts()).toEqual([1, 1, 0])
    latest("b").up()
    latest("b").job("b1")
    for (const wait of [16_000, 30_000]) {
      latest("a").job("a2")
      await clock.advance(300)
      latest("a").down()
      await clock.advance(wait)
    }
    expect([jobs().at(-1), counts()]).toEqual(["b1", [1, 1, 0]])
    latest("a").job("a3")
    await clock.advance(30_000)
    await settle()
    expect([jobs().at(-1), latest("b").closed]).toEqual(["a3", true])
  })

  test.each([
    ["accepted", "continue", 300],
    ["sent", "wait", 0],
  ] as const)("is not needed by a first source whose seal was %s", async (result, afterSeal, aliveMs) => {
    for (let i = 0; i < 5; i++) {
      latest("a").up()
      const verdict = failover.submit(sealOf(latest("a").job(`a${i}`, afterSeal)))
      latest("a").answer({ result })
      await verdict
      await clock.advance(aliveMs)
      latest("a").down()
      await clock.advance(PATIENCE - 1)
    }
    expect(counts()).toEqual([1, 0, 0])
  })

  test.each(["says nothing more", "withdraws its job", "is lost"] as const)(
    "is started after the seal of a job that was to be replaced if the first %s",
    async what => {
      latest("a").up()
      const job = latest("a").job("a1")
      await clock.advance(60_000)
      const verdict = failover.submit(sealOf(job))
      if (what === "withdraws its job") latest("a").events!.noJob()
      if (what === "is lost") latest("a").down()
      latest("a").answer({ result: "sent" })
      await verdict
      await clock.advance(PATIENCE - 1)
      expect(counts()).toEqual([1, 0, 0])
      await clock.advance(1)
      expect(counts()).toEqual([1, 1, 0])
      latest("b").up()
      latest("b").job("b1")
      latest("a").job("a2")
      expect(jobs()).toEqual(["a1", "b1", "a2"])
    },
  )

  test.each(["sent", "stale"] as const)(
    "is not needed after a %s seal if the next job comes, or came before the verdict",
    async result => {
      latest("a").up()
      const verdict = failover.submit(sealOf(latest("a").job("a1")))
      latest("a").answer({ result })
      await verdict
      await clock.advance(PATIENCE - 1)
      const late = failover.submit(sealOf(latest("a").job("a2")))
      latest("a").job("a3")
      latest("a").answer({ result })
      await late
      await clock.advance(600_000)
      expect(counts()).toEqual([1, 0, 0])
    },
  )

  test("is started immediately when the first is unusable, and hands over when the first has worked", async () => {
    latest("a").up()
    latest("a").job("a1")
    await clock.advance(60_000)
    latest("a").down()
    latest("a").events!.unusable!("the pool refused 5 shares in a row: banned", "a")
    expect(counts()).toEqual([1, 1, 0])
    expect(log.texts).toContain("warn a counts as down: the pool refused 5 shares in a row: banned")
    latest("b").up()
    latest("b").job("b1")
    latest("a").up()
    latest("a").job("a2")
    expect(jobs()).toEqual(["a1", "b1"])
    await clock.advance(30_000)
    expect(jobs()).toEqual(["a1", "b1", "a2"])
  })

  test("is started when the first is down for longer than the patience, despite its attempts", async () => {
    for (let i = 0; i < 9; i++) {
      latest("a").down()
      await clock.advance(1000)
    }
    expect(counts()).toEqual([1, 0, 0])
    await clock.advance(1000)
    expect(counts()).toEqual([1, 1, 0])
  })

  test("takes over with its first job; until then the old job is searched", async () => {
    await switchToSecond()
    expect(jobs()).toEqual(["a1", "b1"])
    expect(events.count("noJob")).toBe(0)
  })

  test("is followed by the third", async () => {
    await clock.advance(PATIENCE)
    expect(counts()).toEqual([1, 1, 0])
    await clock.advance(PATIENCE)
    expect(counts()).toEqual([1, 1, 1])
    latest("c").up()
    latest("c").job("c1")
    latest("b").up()
    latest("b").job("b1")
    expect(jobs()).toEqual(["c1", "b1"])
    await settle()
    expect([latest("a").closed, latest("b").closed, latest("c").closed]).toEqual([false, false, true])
  })
})

describe("the first source", () => {
  test("takes over again with its first job, and the second is closed", async () => {
    await switchToSecond()
    latest("a").up()
    expect(jobs()).toEqual(["a1", "b1"])
    latest("a").job("a2")
    expect(jobs()).toEqual(["a1", "b1", "a2"])
    latest("b").job("b2")
    await settle()
    expect(latest("b").closed).toBe(true)
    expect(jobs()).toEqual(["a1", "b1", "a2"])
    expect(events.events.at(-1)).toMatchObject({ kind: "disconnected", retryIn: Number.POSITIVE_INFINITY })
  })

  test("can fail repeatedly", async () => {
    for (let round = 1; round <= 3; round++) {
      await switchToSecond()
      expect(counts()).toEqual([1, round, 0])
    }
    expect(jobs().join(" ")).toBe("a1 b1 a1 b1 a1 b1")
  })

  test("leaves the second active while it is connected without a job", async () => {
    await switchToSecond()
    latest("a").up()
    latest("b").job("b2")
    latest("a").events!.noJob()
    latest("a").down()
    expect(jobs()).toEqual(["a1", "b1", "b2"])
    expect(events.count("noJob")).toBe(0)
  })

  test("is replaced immediately if it fails permanently; the failover fails when all have", async () => {
    latest("a").up()
    latest("a").job("a1")
    latest("a").events!.failed(new OperatorError("The pin is wrong: renew it.", ExitCode.rejected))
    expect(counts()).toEqual([1, 1, 0])
    expect(events.count("noJob")).toBe(1)
    expect(log.lines).toContainEqual({ level: "error", message: "The pin is wrong: renew it." })
    latest("b").events!.failed(new OperatorError("Second.", ExitCode.config))
    expect(events.count("failed")).toBe(0)
    latest("c").events!.failed(new OperatorError("Third.", ExitCode.config))
    expect((await events.next("failed")).error.message).toBe("The pin is wrong: renew it.")
  })
})

describe("a seal", () => {
  test("goes to the source of its job, also while another is active", async () => {
    latest("a").up()
    const job = latest("a").job("a1")
    const verdict = failover.submit(sealOf(job))
    expect(latest("a").submitted).toHaveLength(1)
    latest("a").answer({ result: "rejected", reason: "low" })
    expect(await verdict).toEqual({ result: "rejected", reason: "low" })
  })

  test("in flight keeps the connection open for its answer", async () => {
    await switchToSecond()
    const second = latest("b")
    const verdict = failover.submit(sealOf(second.job("b2")))
    latest("a").up()
    latest("a").job("a2")
    await settle()
    expect(second.closed).toBe(false)
    second.answer({ result: "accepted" })
    expect(await verdict).toEqual({ result: "accepted" })
    await settle()
    expect(second.closed).toBe(true)
  })

  test("in flight keeps the connection open for five seconds only", async () => {
    await switchToSecond()
    const second = latest("b")
    void failover.submit(sealOf(second.job("b2")))
    latest("a").up()
    latest("a").job("a2")
    await clock.advance(5000)
    expect(second.closed).toBe(true)
  })

  test("of a source that was closed is stale", async () => {
    await switchToSecond()
    const job = latest("b").job("b2")
    latest("a").up()
    latest("a").job("a2")
    expect(await failover.submit(sealOf(job))).toEqual({ result: "stale" })
    expect(latest("b").submitted).toHaveLength(0)
  })
})

test("an exhausted range is reported to its job's source", () => {
  latest("a").up()
  const job = latest("a").job("a1")
  failover.exhausted!(job, 5n, 1)
  expect(latest("a").exhaustedJobs).toEqual([job])
})

test("closing closes all sources, and no event follows", async () => {
  await switchToSecond()
  void failover.submit(sealOf(latest("b").job("b2")))
  const before = events.events.length
  await failover.close()
  expect([latest("a").closed, latest("b").closed]).toEqual([true, true])
  latest("a").up()
  await clock.advance(600_000)
  expect(events.events).toHaveLength(before)
  expect(counts()).toEqual([1, 1, 0])
  expect(clock.pending).toBe(0)
})

test("a single source is returned unchanged", () => {
  const alone = new Puppet("alone")
  expect(createFailover({ sources: [() => alone], clock, log })).toBe(alone)
})

describeContract("A failover whose first source is up", async () => {
  const pool = new FakePool()
  const { source, clock, log } = pool
  const second = new FakePool("second.test").source
  pool.source = createFailover({ sources: [() => source, () => second], clock, log })
  return pool
})
