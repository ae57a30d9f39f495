import { describe, expect, test } from "bun:test"
import { RefusedKernel } from "../../src/engines/engine.ts"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { targetOf } from "../../src/pow/target.ts"
import type { Verdict } from "../../src/sources/source.ts"
import { settle } from "../support/fake-clock.ts"
import { FakeEngine, NODE, nonce, setUp } from "./support.ts"

/** A difficulty that no nonce of these tests meets. */
const HARD = 2n ** 400n

describe("a job", () => {
  test("is assigned to every engine unchanged", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const { job, stop } = await setUp(engines)
    const { header } = job("1", { difficulty: 77n, prefix: Uint8Array.of(1, 2), afterSeal: "continue" })
    for (const { work } of engines) {
      expect(work).toMatchObject({ header, difficulty: 77n, target: targetOf(77n), prefix: Uint8Array.of(1, 2) })
      expect(work!.stopAtCandidate).toBe(false)
      expect(work!.sequence).toBe(engines[0]!.work!.sequence)
    }
    await stop()
  })

  test("replaces the previous one immediately, whose candidates are ignored", async () => {
    const engine = new FakeEngine("a")
    const { job, source, clock, events, lines, stop } = await setUp([engine])
    job("1")
    const { sequence } = engine.work!
    engine.counted = 1234n
    await clock.advance(3250)
    job("2", { difficulty: HARD })
    expect(engine.work!.sequence).toBeGreaterThan(sequence)
    engine.find(nonce(1), sequence)
    await settle()
    expect(source.submitted).toEqual([])
    expect(events.slice(1)).toEqual(["job 1", "jobEnded 1 cancelled", "job 2"])
    expect(lines()).toContain("info 1 ended, it was replaced: 3.25 s old, 1,234 hashes, 0 seals")
    await stop()
  })

  test("that is sent again while it is searched changes nothing", async () => {
    const engine = new FakeEngine("a")
    const { job, events, stop } = await setUp([engine])
    job("1", { difficulty: HARD })
    job("1", { difficulty: HARD })
    expect(engine.assigned).toHaveLength(1)
    expect(events.slice(1)).toEqual(["job 1"])
    job("1", { difficulty: HARD + 1n })
    expect(engine.assigned).toHaveLength(2)
    await stop()
  })

  test("that is withdrawn leaves the engines idle", async () => {
    const engine = new FakeEngine("a")
    const { job, source, events, stop } = await setUp([engine])
    job("1")
    source.events!.noJob()
    expect(engine.work).toBeNull()
    expect(events.at(-1)).toBe("jobEnded 1 cancelled")
    await stop()
  })

  test("ends at --max-job-age after its last arrival, and is searched again if it is sent again", async () => {
    const engine = new FakeEngine("a")
    const { job, clock, events, lines, stop } = await setUp([engine], undefined, 60_000)
    job("1", { difficulty: HARD })
    await clock.advance(50_000)
    job("1", { difficulty: HARD })
    await clock.advance(59_000)
    expect(engine.work).not.toBeNull()
    await clock.advance(1000)
    expect(engine.work).toBeNull()
    expect(events.at(-1)).toBe("jobEnded 1 cancelled")
    expect(lines().at(-1)).toContain(`1 ended, ${NODE} has sent no newer job for 60 s (--max-job-age): 110.0 s old`)
    job("1", { difficulty: HARD })
    expect(engine.work).not.toBeNull()
    await clock.advance(30_000)
    job("2", { difficulty: HARD })
    await clock.advance(59_000)
    expect(engine.work).not.toBeNull()
    await stop()
    expect(clock.pending).toBe(0)
  })

  test("without --max-job-age is searched indefinitely", async () => {
    const engine = new FakeEngine("a")
    const { job, clock, stop } = await setUp([engine])
    job("1", { difficulty: HARD })
    await clock.advance(86_400_000)
    expect(engine.work).not.toBeNull()
    await stop()
  })

  test("two minutes old is logged as a warning once", async () => {
    const engine = new FakeEngine("a")
    const { job, clock, lines, stop } = await setUp([engine])
    const warnings = () => lines().filter(line => line.startsWith("warn"))
    job("1", { difficulty: HARD })
    await clock.advance(60_000)
    job("1", { difficulty: HARD })
    await clock.advance(59_000)
    expect(warnings()).toEqual([])
    await clock.advance(1000)
    expect(warnings()).toEqual([`warn 1 is two minutes old and ${NODE} has sent no newer job; a node may be syncing`])
    await clock.advance(1_000_000)
    expect(warnings()).toHaveLength(1)
    job("2", { difficulty: HARD })
    await clock.advance(119_000)
    job("3", { difficulty: HARD })
    await clock.advance(60_000)
    expect(warnings()).toHaveLength(1)
    await stop()
  })
})

describe("a candidate", () => {
  test("confirmed by the reference is submitted with its hashes and time", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const { job, source, clock, events, lines, stop } = await setUp(engines)
    const first = job("1")
    engines[0]!.counted = 1000n
    engines[1]!.counted = 500n
    await clock.advance(2500)
    engines[1]!.find(nonce(1))
    await settle()
    const [seal] = source.submitted
    expect(seal).toMatchObject({ job: first, nonce: nonce(1), hashes: 1500n, seconds: 2.5, unit: "b/0" })
    expect(seal!.hash).toHaveLength(64)
    expect(engines.map(({ work }) => work)).toEqual([null, null])
    expect(events.slice(1)).toEqual(["job 1", "seal 1 sent 0"])
    expect(lines().slice(-2)).toEqual([
      "info 1 sealed by b/0, 2.50 s old, after 1,500 hashes",
      `success the seal of 1 by b/0 was sent to ${NODE}`,
    ])
    job("2")
    expect(events).toContain("jobEnded 1 completed")
    await stop()
  })

  test("that fails verification is counted and logged, not submitted, and the search continues", async () => {
    const engine = new FakeEngine("a")
    const { job, source, events, lines, stop } = await setUp([engine])
    job("1", { difficulty: HARD })
    engine.find(nonce(1))
    await settle()
    expect(source.submitted).toEqual([])
    expect(events).toContain("mismatch a/0")
    expect(engine.resumed).toEqual([engine.work!.sequence])
    expect(lines().at(-1)).toStartWith("error a/0 reported nonce 00")
    expect(lines().at(-1)).toContain(`for job 1, header ${engine.work!.header.toHex()}: not submitted`)
    await stop()
  })

  test("outside the prefix or the range is a mismatch", async () => {
    const engine = new FakeEngine("a")
    const { job, source, events, stop } = await setUp([engine])
    job("1", { prefix: Uint8Array.of(9) })
    engine.find(nonce(1, 8))
    job("2", { range: { first: 5n, last: 7n } })
    engine.find(nonce(8))
    await settle()
    expect(source.submitted).toEqual([])
    expect(events.filter(line => line.startsWith("mismatch"))).toHaveLength(2)
    engine.find(nonce(7))
    await settle()
    expect(source.submitted).toHaveLength(1)
    await stop()
  })

  test("of a sealed job is ignored, also from another engine", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const { job, source, stop } = await setUp(engines)
    job("1")
    const { sequence } = engines[0]!.work!
    engines[0]!.find(nonce(1), sequence)
    engines[1]!.find(nonce(2), sequence)
    await settle()
    expect(source.submitted).toHaveLength(1)
    await stop()
  })
})

describe("after a seal", () => {
  test("the same job sent again is searched further; its account starts at the last seal", async () => {
    const engine = new FakeEngine("a")
    const { job, source, clock, events, stop } = await setUp([engine])
    job("1")
    const { sequence } = engine.work!
    engine.counted = 10n
    await clock.advance(1000)
    engine.find(nonce(1))
    await clock.advance(500)
    const again = job("1")
    expect(engine.work!.sequence).toBeGreaterThan(sequence)
    engine.counted = 7n
    await clock.advance(1500)
    engine.find(nonce(2))
    await settle()
    expect(source.submitted[1]).toMatchObject({ job: again, hashes: 7n, seconds: 2 })
    expect(events.filter(line => line.startsWith("job"))).toEqual(["job 1"])
    await stop()
  })

  test("a pool's job continues: hashes count since the last seal, no nonce is submitted twice", async () => {
    const engine = new FakeEngine("a")
    const { job, source, clock, stop } = await setUp([engine])
    job("1", { afterSeal: "continue" })
    engine.counted = 10n
    await clock.advance(1000)
    engine.find(nonce(1))
    engine.counted = 25n
    await clock.advance(3000)
    engine.find(nonce(1))
    engine.find(nonce(2))
    await settle()
    expect(source.submitted.map(({ hashes, seconds }) => [hashes, seconds])).toEqual([
      [10n, 1],
      [15n, 3],
    ])
    expect(engine.assigned).toHaveLength(1)
    await stop()
  })

  const verdicts: [verdict: Verdict, line: string][] = [
    [{ result: "accepted" }, `success the seal of 1 by a/0 was accepted by ${NODE}`],
    [
      { result: "rejected", reason: "low difficulty" },
      `warn the seal of 1 by a/0 was rejected by ${NODE}: low difficulty`,
    ],
    [{ result: "stale" }, "info the seal of 1 by a/0 is stale and was not sent: its job or difficulty had changed"],
    [{ result: "lost" }, `warn the seal of 1 by a/0 was sent, but ${NODE} did not answer`],
  ]
  for (const [verdict, line] of verdicts) {
    test(`its verdict is reported: ${verdict.result}`, async () => {
      const engine = new FakeEngine("a")
      const { job, source, clock, events, lines, stop } = await setUp([engine])
      const answer = Promise.withResolvers<Verdict>()
      source.verdict = answer.promise
      job("1")
      engine.find(nonce(1))
      await clock.advance(120)
      answer.resolve(verdict)
      await settle()
      expect(lines().at(-1)).toBe(line)
      expect(events.at(-1)).toBe(`seal 1 ${verdict.result} 0.12`)
      await stop()
    })
  }
})

describe("a range", () => {
  test("is divided among the engines by their hashes so far and exhausted when all parts are", async () => {
    const engines = [new FakeEngine("slow"), new FakeEngine("fast")]
    engines[0]!.units = [{ ...engines[0]!.units[0]!, hashes: 99n }]
    engines[1]!.units = [{ ...engines[1]!.units[0]!, hashes: 899n }]
    const { job, source, clock, events, lines, stop } = await setUp(engines)
    const more = { isLast: false }
    const asked = job("1", { difficulty: HARD, range: { first: 100n, last: 1099n }, slice: more })
    expect(engines.map(({ work }) => work!.range)).toEqual([
      { first: 100n, last: 199n },
      { first: 200n, last: 1099n },
    ])
    engines[0]!.counted = 100n
    engines[1]!.counted = 900n
    await clock.advance(750)
    const { sequence } = engines[0]!.work!
    engines[0]!.events!.exhausted(sequence)
    expect(source.exhaustions).toEqual([])
    engines[1]!.events!.exhausted(sequence)
    expect(source.exhaustions).toEqual([{ job: asked, hashes: 1000n, seconds: 0.75 }])
    expect(events.at(-1)).toBe("job 1")
    // The next slice of the same job neither ends it nor logs it again.
    job("1", { difficulty: HARD, range: { first: 1100n, last: 2000n }, slice: { isLast: true } })
    expect(events.at(-1)).toBe("job 1")
    expect(lines().at(-1)).toStartWith(`debug 1 of ${NODE}`)
    source.events!.noJob()
    expect(events.at(-1)).toBe("jobEnded 1 cancelled")
    await stop()
  })

  test("of a job that waits for its next slice has not ended when another job is searched", async () => {
    const engine = new FakeEngine("a")
    const { job, events, stop } = await setUp([engine])
    const turn = (id: string, first: bigint, isLast: boolean) => {
      job(id, { difficulty: HARD, range: { first, last: first + 9n }, slice: { isLast } })
      engine.events!.exhausted(engine.work!.sequence)
    }
    turn("1", 0n, false)
    turn("2", 0n, false)
    turn("1", 10n, true)
    turn("2", 10n, true)
    await stop()
    expect(events.filter(line => line.startsWith("jobEnded"))).toEqual(["jobEnded 1 failed", "jobEnded 2 failed"])
  })

  test("being searched is not divided again for an engine that starts late", async () => {
    const ready = Promise.withResolvers<void>()
    const engines = [new FakeEngine("a"), new FakeEngine("b", ready.promise)]
    const { job, stop } = await setUp(engines)
    job("1", { difficulty: HARD, range: { first: 0n, last: 99n } })
    const before = engines[0]!.work
    ready.resolve()
    await settle()
    expect(engines.map(({ work }) => work)).toEqual([before, null])
    job("1", { difficulty: HARD, range: { first: 100n, last: 199n } })
    expect(engines.map(({ work }) => work?.range?.first)).toEqual([100n, 150n])
    await stop()
  })

  test("is divided again if an engine fails", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const { job, source, stop } = await setUp(engines)
    const range = { first: 0n, last: 99n }
    job("1", { difficulty: HARD, range })
    engines[0]!.counted = 30n
    engines[1]!.counted = 7n
    engines[1]!.events!.failed("gone")
    await settle()
    expect(engines[0]!.work!.range).toEqual(range)
    engines[0]!.counted = 100n
    engines[0]!.events!.exhausted(engines[0]!.work!.sequence)
    expect(source.exhaustions.map(({ hashes }) => hashes)).toEqual([137n])
    await stop()
  })

  test("of one nonce goes to one engine", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const { job, source, stop } = await setUp(engines)
    job("1", { difficulty: HARD, range: { first: 5n, last: 5n } })
    const searching = engines.filter(({ work }) => work)
    expect(searching).toHaveLength(1)
    searching[0]!.events!.exhausted(searching[0]!.work!.sequence)
    expect(source.exhaustions).toHaveLength(1)
    await stop()
  })
})

describe("an engine", () => {
  test("that starts late searches the current job", async () => {
    const ready = Promise.withResolvers<void>()
    const engines = [new FakeEngine("a"), new FakeEngine("b", ready.promise)]
    const { job, stop } = await setUp(engines)
    job("1")
    expect(engines[1]!.work).toBeNull()
    ready.resolve()
    await settle()
    expect(engines[1]!.work!.sequence).toBe(engines[0]!.work!.sequence)
    await stop()
  })

  test("that fails is replaced, and the job keeps its count", async () => {
    const engines = [new FakeEngine("a"), new FakeEngine("b")]
    const next = new FakeEngine("c")
    const { job, source, engines: set, lines, stop } = await setUp(engines, async () => next)
    job("1")
    engines[0]!.counted = 40n
    engines[1]!.counted = 2n
    engines[0]!.events!.failed("out of memory")
    await settle()
    expect(engines[0]!.closed).toBe(true)
    expect(set.existing).toEqual([engines[1]!, next])
    expect(lines()).toContain("warn engine a cannot be used: out of memory")
    expect(lines()).toContain("warn engine c replaces a")
    next.counted = 3n
    next.find(nonce(1))
    await settle()
    expect(source.submitted[0]!.hashes).toBe(45n)
    await stop()
  })

  const broken = (error: Error) => {
    const starting = Promise.reject(error)
    starting.catch(() => {})
    return new FakeEngine("a", starting)
  }

  test("that computes wrongly as the last one ends the miner for good", async () => {
    const { ended, source } = await setUp([broken(new RefusedKernel("a wrong hash", false))])
    const error: unknown = await ended.catch(error => error)
    expect(error).toBeInstanceOf(OperatorError)
    expect((error as OperatorError).exitCode).toBe(ExitCode.selfTest)
    expect((error as OperatorError).message).toBe("no engine is left that can hash: a wrong hash")
    expect(source.closed).toBe(true)
  })

  test.each([
    ["whose worker cannot be spawned", ["Failed to spawn worker thread"]],
    ["that takes too long to start, before one that computes wrongly,", ["did not start within 30 s", undefined]],
  ])("%s ends the miner with an exit code that asks for a restart", async (_, errors) => {
    const engines = errors.map(why => broken(why ? new Error(why) : new RefusedKernel("a wrong hash", false)))
    const { ended } = await setUp(engines)
    expect(((await ended.catch(error => error)) as OperatorError).exitCode).toBe(ExitCode.lost)
  })

  test("that has hashed and fails as the last one ends the miner with a restartable exit code", async () => {
    const engine = new FakeEngine("cuda")
    const { ended } = await setUp([engine])
    engine.events!.failed("CUDA_ERROR_ILLEGAL_ADDRESS")
    expect(((await ended.catch(error => error)) as OperatorError).exitCode).toBe(ExitCode.lost)
  })

  test("reports the events of its units", async () => {
    const engine = new FakeEngine("a")
    const { events, lines, stop } = await setUp([engine])
    engine.events!.switched("a/0", 1, 0.0005)
    engine.events!.restarted("a/0", "it made no progress for a second")
    expect(events.slice(1)).toEqual(["switched a/0 0.0005", "restarted a/0"])
    expect(lines().at(-1)).toBe("warn a/0 was replaced: it made no progress for a second")
    await stop()
  })
})

describe("shutdown", () => {
  test("closes everything", async () => {
    const engine = new FakeEngine("a")
    const { job, source, clock, events, stop } = await setUp([engine])
    job("1")
    engine.find(nonce(1))
    await settle()
    await stop()
    expect([source.closed, engine.closed]).toEqual([true, true])
    expect(events.at(-1)).toBe("jobEnded 1 completed")
    expect(clock.pending).toBe(0)
  })

  test("follows the failure of the source", async () => {
    const engine = new FakeEngine("a")
    const { source, ended } = await setUp([engine])
    const failure = new OperatorError("the token was rejected", ExitCode.rejected)
    source.events!.failed(failure)
    expect(await ended.catch(error => error)).toBe(failure)
    expect(engine.closed).toBe(true)
  })
})

test("a lost connection is logged with the time of the next attempt", async () => {
  const { source, events, lines, stop } = await setUp([new FakeEngine("a")])
  source.events!.disconnected("timeout", "the node fell silent", 1500, NODE)
  expect(events).toEqual([`connected ${NODE}`, `disconnected timeout ${NODE}`])
  expect(lines()).toEqual([`success connected to ${NODE}`, `warn ${NODE}: the node fell silent; next attempt in 1.5 s`])
  await stop()
})

test("a source released by a failover is not logged as a warning", async () => {
  const { source, lines, stop } = await setUp([new FakeEngine("a")])
  source.events!.disconnected("closed", "not needed for now", Number.POSITIVE_INFINITY, NODE)
  expect(lines().at(-1)).toBe(`info ${NODE}: not needed for now`)
  await stop()
})

describe("a pause", () => {
  test("keeps the engines idle until the last reason is cleared; the count continues", async () => {
    const engine = new FakeEngine("a")
    const { job, miner, source, lines, stop } = await setUp([engine])
    job("1")
    engine.counted = 30n
    miner.setPaused("operator", true)
    expect(engine.work).toBeNull()
    miner.setPaused("battery", true)
    miner.setPaused("operator", false)
    expect(engine.work).toBeNull()
    expect(miner.pauseReasons).toEqual(["battery"])
    miner.setPaused("battery", false)
    engine.counted = 12n
    engine.find(nonce(1))
    await settle()
    expect(source.submitted[0]!.hashes).toBe(42n)
    expect(lines()).toContain("info pause (battery): now paused (operator, battery)")
    expect(lines()).toContain("info resume (battery): now mining")
    await stop()
  })

  test("lasts across jobs; the newest is searched afterwards", async () => {
    const engine = new FakeEngine("a")
    const { job, miner, events, stop } = await setUp([engine])
    job("1")
    miner.setPaused("operator", true)
    const second = job("2", { header: new Uint8Array(32).fill(7) })
    expect(engine.work).toBeNull()
    miner.setPaused("operator", false)
    expect(engine.work).toMatchObject({ header: second.header })
    expect(events.slice(1)).toEqual(["job 1", "paused operator", "jobEnded 1 cancelled", "job 2", "paused no longer"])
    await stop()
  })

  test("holds a range where it is, and continues there", async () => {
    const engine = new FakeEngine("a")
    const { job, miner, source, stop } = await setUp([engine])
    job("1", { range: { first: 0n, last: 99n }, difficulty: HARD })
    const { sequence } = engine.work!
    engine.counted = 30n
    miner.setPaused("operator", true)
    expect(engine.held).toEqual([sequence])
    engine.find(nonce(1))
    expect(engine.resumed).toEqual([])
    miner.setPaused("operator", false)
    expect(engine.resumed).toEqual([sequence])
    expect(engine.assigned).toHaveLength(1)
    engine.counted = 100n
    engine.events!.exhausted(sequence)
    expect(source.exhaustions).toMatchObject([{ hashes: 100n }])
    await stop()
  })

  test("does not wake the engines of a job that is sealed", async () => {
    const engine = new FakeEngine("a")
    const { job, miner, stop } = await setUp([engine])
    job("1")
    engine.find(nonce(1))
    miner.setPaused("operator", true)
    miner.setPaused("operator", false)
    expect(engine.work).toBeNull()
    await stop()
  })
})

describe("an engine that is late", () => {
  test("takes part in the current job", async () => {
    const [engine, late] = [new FakeEngine("a"), new FakeEngine("b")]
    const listed = Promise.withResolvers<readonly FakeEngine[]>()
    const { job, engines, stop } = await setUp([engine], undefined, undefined, () => listed.promise)
    job("1")
    listed.resolve([late])
    await settle()
    expect(late.work).toEqual(engine.work)
    expect(engines.live).toEqual([engine, late])
    await stop()
  })

  test("ends mining if it cannot be had", async () => {
    const error = new OperatorError("no GPU matches 7", ExitCode.config)
    const { ended } = await setUp([new FakeEngine("a")], undefined, undefined, () => Promise.reject(error))
    expect(ended).rejects.toBe(error)
  })
})
