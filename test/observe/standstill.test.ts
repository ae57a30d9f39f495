import { describe, expect, test } from "bun:test"
import { createExposition } from "../../src/observe/exposition.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE, POOL } from "./support.ts"

const MINUTE = 60

/** 100 hashes per second at difficulty 1000: one expected share in ten seconds. */
const bench = (options = {}) => new Bench([fakeUnit("avx2/0")], "1.2.3", options)

const gauges = async ({ stats }: Bench) =>
  [...(await createExposition(stats, "prometheus").render()).matchAll(/^miner_standstill\{reason="(\w+)"\} 1$/gm)].map(
    ([, reason]) => reason,
  )

describe("a miner without a job", () => {
  test("is reported after 60 s and then every ten minutes", async () => {
    const idle = bench()
    idle.stats.source(NODE)
    idle.stats.connected(NODE)
    await idle.run(59, 0)
    expect(idle.log.texts).toEqual([])
    expect(idle.stats.snapshot().notReady).toBe("connected, waiting for a job")
    await idle.run(1, 0)
    const first = `warn idle for 60 s: no job from ${NODE}`
    expect(idle.log.texts).toEqual([first])
    expect(idle.stats.snapshot().notReady).toBe(`idle for 60 s: no job from ${NODE}`)
    expect(await gauges(idle)).toEqual(["no_job"])
    await idle.run(10 * MINUTE - 1, 0)
    expect(idle.log.texts).toEqual([first])
    await idle.run(1, 0)
    expect(idle.log.texts).toEqual([first, `warn idle for 660 s: no job from ${NODE}`])
  })

  test("is reported with every source and why the first is down", async () => {
    const idle = bench()
    for (const name of [POOL, NODE]) idle.stats.source(name)
    idle.stats.disconnected("refused", "connection refused", 1000, POOL)
    await idle.run(60, 0)
    expect(idle.stats.snapshot().notReady).toBe(`idle for 60 s: no job from ${POOL}, ${NODE} (connection refused)`)
  })

  test("is ready again with a job and is reported again when the job is withdrawn", async () => {
    const idle = bench()
    idle.stats.connected(NODE)
    await idle.run(60, 0)
    idle.stats.job(fakeJob("a"))
    await idle.run(30)
    expect(idle.stats.snapshot().notReady).toBeUndefined()
    expect(await gauges(idle)).toEqual([])
    idle.stats.jobEnded(fakeJob("a"), "cancelled")
    await idle.run(60, 0)
    expect(idle.log.texts).toHaveLength(2)
  })

  test("includes one whose sealed job has no successor", async () => {
    const idle = bench()
    idle.stats.connected(NODE)
    idle.stats.job(fakeJob("a"))
    await idle.run(10)
    idle.stats.seal(fakeSeal(fakeJob("a")), { result: "sent" }, 0.001)
    await idle.run(60, 0)
    expect(idle.stats.snapshot().notReady).toBe(`idle for 60 s: no job from ${NODE}`)
  })

  test("is not reported if jobs are posted on demand", async () => {
    const idle = bench({ jobsOnDemand: true })
    idle.stats.connected("http://127.0.0.1:9833")
    await idle.run(20 * MINUTE, 0)
    expect(idle.log.texts).toEqual([])
    expect(idle.stats.snapshot().standstill).toBeUndefined()
  })
})

describe("a miner without an accepted share", () => {
  const pool = (options = {}) => {
    const mining = bench(options)
    mining.stats.connected(POOL)
    const job = fakeJob("a", { source: POOL, afterSeal: "continue" })
    mining.stats.job(job)
    return { mining, job }
  }

  test("is reported after ten times the expected time per share, but not before 5 min", async () => {
    const { mining, job } = pool()
    await mining.run(299)
    mining.stats.seal(fakeSeal(job), { result: "rejected", reason: "low difficulty" }, 0.01)
    expect(mining.stats.snapshot().notReady).toBeUndefined()
    await mining.run(1)
    const reason = `no share accepted by ${POOL} for 300 s: 30.0 were expected`
    expect(mining.log.texts).toEqual([`warn ${reason}`])
    expect(mining.stats.snapshot().notReady).toBe(reason)
    expect(await gauges(mining)).toEqual(["no_share_accepted"])
    await mining.run(10 * MINUTE)
    expect(mining.log.texts).toHaveLength(2)
  })

  test("is not reported before ten expected shares, regardless of time", async () => {
    const { mining } = pool()
    await mining.run(999, 10)
    expect(mining.stats.snapshot().standstill).toBeUndefined()
    await mining.run(2, 10)
    expect(mining.stats.snapshot().standstill).toBe("no_share_accepted")
  })

  test.each(["accepted", "sent"] as const)("restarts the count after a share with the verdict %s", async result => {
    const { mining, job } = pool()
    await mining.run(300)
    mining.stats.seal(fakeSeal(job), { result }, 0.01)
    expect(mining.stats.snapshot().notReady).toBeUndefined()
    await mining.run(299)
    expect(mining.stats.snapshot().standstill).toBeUndefined()
    await mining.run(1)
    expect(mining.log.texts).toHaveLength(2)
  })

  test("restarts the count at another source", async () => {
    const { mining } = pool()
    await mining.run(290)
    mining.stats.job(fakeJob("b"))
    await mining.run(290)
    expect(mining.stats.snapshot().standstill).toBeUndefined()
  })
})
