import { describe, expect, test } from "bun:test"
import { goodSeals } from "../../src/observe/snapshot.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE, POOL } from "./support.ts"

describe("hashes", () => {
  test("are read on demand, rates every second", async () => {
    const { units, stats } = new Bench()
    units[0]!.hashes = 7n
    expect(stats.snapshot().hashes).toBe(7n)
    expect(stats.snapshot().rates.tenSeconds).toBeUndefined()
  })

  test("have rates in total, by kind and by unit", async () => {
    const bench = new Bench([fakeUnit("avx2/0"), fakeUnit("cuda/0", "gpu"), fakeUnit("cuda/1", "gpu")])
    await bench.run(10)
    const { rates, cpuRates, gpuRates, units, engines } = bench.stats.snapshot()
    expect(rates.tenSeconds).toBe(300)
    expect(cpuRates?.tenSeconds).toBe(100)
    expect(gpuRates?.tenSeconds).toBe(200)
    expect(units.map(unit => [unit.engine, unit.index, unit.rates.tenSeconds])).toEqual([
      ["avx2", "0", 100],
      ["cuda", "0", 100],
      ["cuda", "1", 100],
    ])
    expect(engines).toEqual(["avx2", "cuda"])
    expect(new Bench([fakeUnit("avx2/0")]).stats.snapshot().gpuRates).toBeUndefined()
  })

  test("never decrease when units are removed, whether they return with their old count or from zero", async () => {
    const bench = new Bench()
    const [first, second] = bench.units as [ReturnType<typeof fakeUnit>, ReturnType<typeof fakeUnit>]
    await bench.run(10)
    bench.units.pop()
    await bench.run(1)
    expect(bench.stats.snapshot().hashes).toBe(2100n)
    expect(bench.stats.snapshot().units.map(unit => unit.id)).toEqual(["avx2/0"])

    bench.units.push(second)
    second.hashes += 50n
    expect(bench.stats.snapshot().hashes).toBe(2150n)
    expect(bench.stats.snapshot().units[1]!.rates.tenSeconds).toBeUndefined()

    bench.units.splice(0, 2, first, { ...fakeUnit("avx2/1"), hashes: 30n, expectedSeals: 0.03 })
    expect(bench.stats.snapshot().hashes).toBe(2180n)
    expect(bench.stats.snapshot().expectedSeals).toBeCloseTo(2.13, 9)
  })

  test("are recorded in the history", async () => {
    const bench = new Bench([fakeUnit("avx2/0")])
    await bench.run(30)
    expect(bench.stats.history(900, 180)).toEqual({ stepSeconds: 5, rates: [null, null, 100, 100, 100, 100, 100] })
  })
})

describe("jobs", () => {
  test("are counted by outcome", () => {
    const { stats } = new Bench()
    const jobs = ["a", "b", "c", "d"].map(id => fakeJob(id))
    stats.job(jobs[0]!)
    stats.job(jobs[1]!)
    stats.seal(fakeSeal(jobs[1]!), { result: "accepted" }, 0.001)
    stats.job(jobs[2]!)
    stats.jobEnded(jobs[2]!, "failed")
    stats.jobEnded(jobs[2]!, "failed")
    stats.jobEnded(jobs[0]!, "failed")
    expect(stats.snapshot().jobs).toEqual({ completed: 1, failed: 1, cancelled: 1 })
    expect(stats.snapshot().job).toBeUndefined()
    stats.job(jobs[3]!)
    stats.job(fakeJob("d"))
    expect(stats.snapshot().job?.id).toBe("d")
    expect(stats.snapshot().jobs).toEqual({ completed: 1, failed: 1, cancelled: 1 })
  })

  test("show their age, header and difficulty", async () => {
    const bench = new Bench()
    bench.stats.job(fakeJob("a", { difficulty: 2n ** 511n }))
    await bench.run(3)
    const job = { id: "a", source: NODE, difficulty: 2n ** 511n, header: "ab".repeat(32), ageSeconds: 3 }
    expect(bench.stats.snapshot().job).toEqual(job)
  })
})

describe("sources", () => {
  test("are known before they connect, in order", () => {
    const { stats } = new Bench()
    stats.source(NODE)
    stats.source(POOL)
    const [node, pool] = stats.snapshot().sources
    expect([node?.name, pool?.name]).toEqual([NODE, POOL])
    expect(node).toMatchObject({ up: false, active: false, sinceSeconds: undefined, reconnects: {}, switches: 0 })
  })

  test("count reconnects by reason and report since when and why they are down", async () => {
    const bench = new Bench()
    const { stats } = bench
    stats.connected(NODE)
    await bench.run(2)
    stats.disconnected("timeout", "no answer for 15 s", 1000, NODE)
    await bench.run(1)
    stats.disconnected("refused", "connection refused", 2000, NODE)
    await bench.run(1)
    const [down] = stats.snapshot().sources
    const reconnects = { timeout: 1, refused: 1 }
    expect(down).toMatchObject({ up: false, sinceSeconds: 2, reconnects, problem: "connection refused" })
    stats.connected(NODE)
    expect(stats.snapshot().sources[0]).toMatchObject({ up: true, sinceSeconds: 0, problem: undefined, reconnects })
  })

  test("released by a failover count no reconnect", () => {
    const { stats } = new Bench()
    stats.connected(POOL)
    stats.disconnected("closed", "not needed for now", Number.POSITIVE_INFINITY, POOL)
    expect(stats.snapshot().sources[0]).toMatchObject({ up: false, reconnects: {}, problem: "not needed for now" })
  })

  test("count seals by result and switches to them", () => {
    const { stats } = new Bench()
    const latencies: number[] = []
    stats.observe("sealLatencySeconds", seconds => latencies.push(seconds))
    const onNode = fakeJob("a")
    const onPool = fakeJob("b", { source: POOL })
    stats.job(onNode)
    stats.seal(fakeSeal(onNode, "avx2/1"), { result: "sent" }, 0.001)
    stats.job(onPool)
    stats.seal(fakeSeal(onPool), { result: "rejected", reason: "low difficulty share" }, 0.2)
    stats.seal(fakeSeal(onPool), { result: "accepted" }, 0.1)
    stats.job(fakeJob("c"))
    const { sources, seals, recentSeals, units } = stats.snapshot()
    expect(sources.map(source => [source.name, source.active, source.switches])).toEqual([
      [NODE, true, 1],
      [POOL, false, 1],
    ])
    expect(sources[1]?.seals).toEqual({ sent: 0, accepted: 1, rejected: 1, stale: 0, lost: 0 })
    expect(seals).toEqual({ sent: 1, accepted: 1, rejected: 1, stale: 0, lost: 0 })
    expect(goodSeals(seals)).toBe(2)
    expect(recentSeals.map(seal => [seal.result, seal.reason, seal.unit])).toEqual([
      ["accepted", undefined, "avx2/0"],
      ["rejected", "low difficulty share", "avx2/0"],
      ["sent", undefined, "avx2/1"],
    ])
    expect(units.map(unit => unit.seals)).toEqual([2, 1])
    expect(latencies).toEqual([0.001, 0.2, 0.1])
  })

  test("keep only the most recent seals", () => {
    const { stats } = new Bench()
    const job = fakeJob("a")
    for (let seal = 0; seal < 1000; seal++) stats.seal(fakeSeal(job), { result: "sent" }, 0.001)
    expect(stats.snapshot().recentSeals).toHaveLength(50)
    expect(stats.snapshot().seals.sent).toBe(1000)
  })
})

test("restarts and mismatches are counted by unit and kept after it is removed", () => {
  const bench = new Bench()
  bench.stats.restarted("avx2/1", "it hung")
  bench.stats.mismatch("avx2/1")
  expect(bench.stats.snapshot().units[1]).toMatchObject({ restarts: 1, mismatches: 1 })
  bench.units.pop()
  expect(bench.stats.snapshot()).toMatchObject({ restarts: 1, mismatches: 1 })
})

test("shows the details of a unit and its hashes per joule", async () => {
  const bench = new Bench([fakeUnit("cuda/0", "gpu")])
  bench.details.set("cuda/0", { name: "H200", temperatureCelsius: 61, powerWatts: 400 })
  await bench.run(10, 8000)
  expect(bench.stats.snapshot().units[0]).toMatchObject({ name: "H200", temperatureCelsius: 61, hashesPerJoule: 20 })
})

test("reports why it is not ready", async () => {
  const bench = new Bench()
  const { stats } = bench
  expect(stats.snapshot().notReady).toBe("no source has connected yet")
  stats.source(NODE)
  expect(stats.snapshot().notReady).toBe(`not connected to ${NODE}`)
  stats.disconnected("refused", "connection refused", 1000, NODE)
  expect(stats.snapshot().notReady).toBe(`not connected to ${NODE}: connection refused`)
  stats.connected(NODE)
  expect(stats.snapshot().notReady).toBe("connected, waiting for a job")
  stats.job(fakeJob("a"))
  expect(stats.snapshot().notReady).toBe("a job was received, but no nonce has been tested yet")
  await bench.run(1)
  expect(stats.snapshot().notReady).toBeUndefined()
  await bench.run(6, 0)
  expect(stats.snapshot().notReady).toBe("no nonce tested for 6 s")
})

describe("a paused miner", () => {
  async function pausedBench(): Promise<Bench> {
    const bench = new Bench()
    bench.stats.connected(NODE)
    bench.stats.job(fakeJob("a"))
    await bench.run(1)
    bench.stats.paused(["http", "battery"])
    return bench
  }

  test("is ready, with or without a job, and is no standstill", async () => {
    const bench = await pausedBench()
    await bench.run(300, 0)
    bench.stats.jobEnded(fakeJob("a"), "cancelled")
    await bench.run(300, 0)
    const { notReady, standstill, pauses } = bench.stats.snapshot()
    expect({ notReady, standstill, pauses }).toEqual({
      notReady: undefined,
      standstill: undefined,
      pauses: ["http", "battery"],
    })
    expect(bench.log.texts).toEqual([])
  })

  test("has the usual time to begin hashing and to receive a job after it resumes", async () => {
    const bench = await pausedBench()
    await bench.run(600, 0)
    bench.stats.paused([])
    expect(bench.stats.snapshot().notReady).toBeUndefined()
    await bench.run(6, 0)
    expect(bench.stats.snapshot().notReady).toBe("no nonce tested for 6 s")
    bench.stats.jobEnded(fakeJob("a"), "cancelled")
    await bench.run(53, 0)
    expect(bench.stats.snapshot().standstill).toBeUndefined()
    await bench.run(1, 0)
    expect(bench.stats.snapshot().standstill).toBe("no_job")
  })
})

test("stops sampling when closed", () => {
  const { stats, clock } = new Bench()
  expect(clock.pending).toBe(1)
  stats.close()
  expect(clock.pending).toBe(0)
})
