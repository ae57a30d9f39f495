/** What `/-/ready` and the metrics say about a source that waits. */
import { expect, test } from "bun:test"
import { createExposition } from "../../src/observe/exposition.ts"
import { createRoutes } from "../../src/observe/routes.ts"
import { U512_MAX } from "../../src/pow/u512.ts"
import { fingerprint } from "../../src/sources/pin.ts"
import { newJobMessage } from "../../src/sources/quic/messages.ts"
import { createQuicSource } from "../../src/sources/quic/quic-source.ts"
import type { Job, JobSource, SourceEvents } from "../../src/sources/source.ts"
import { Bench, NODE } from "../observe/support.ts"
import { CERTIFICATE, FakeTransport } from "./quic/fake-transport.ts"
import { headerOf, sealOf } from "./recorder.ts"
import { FakePool } from "./stratum/fake-pool.ts"

/** Reports a source's events as the miner does, and keeps its jobs. */
function eventsFor(stats: Bench["stats"], jobs: Job[]): SourceEvents {
  return {
    connected: source => stats.connected(source),
    disconnected: (...end) => stats.disconnected(...end),
    job(job) {
      jobs.push(job)
      stats.job(job)
    },
    noJob() {},
    failed(error) {
      throw error
    },
  }
}

async function ready({ stats }: Bench): Promise<string> {
  const expositions = {
    prometheus: createExposition(stats, "prometheus"),
    openmetrics: createExposition(stats, "openmetrics"),
  }
  const routes = createRoutes({ stats, expositions, hostname: "rig7", setPaused() {} })
  const route = routes.find(({ path }) => path === "/-/ready")!
  const { status, body } = (await route.answer({
    authorized: true,
    accept: "",
    query: new URLSearchParams(),
  } as never)) as {
    status: number
    body: string
  }
  return `${status} ${body.trim()}`
}

test("names the token that waits to be renewed", async () => {
  const bench = new Bench()
  const { clock, stats, log } = bench
  const transport = new FakeTransport()
  const source = createQuicSource({
    name: NODE,
    host: "127.0.0.1",
    port: 9833,
    token: { description: "the token in /node/miner-auth-token", isRenewable: true, read: () => "5ecre7" },
    pin: { description: "the pin", read: () => fingerprint(CERTIFICATE) },
    keepMining: false,
    ...{ transport, clock, log, resolve: async (host: string) => [host], random: () => 0 },
  })
  stats.source(NODE)
  source.start(eventsFor(stats, []))
  for (const wait of [0, 1000, 2000]) {
    await clock.advance(wait)
    transport.last.open()
    await clock.advance(20)
    transport.last.end()
  }
  const why =
    `${NODE} rejects the token in /node/miner-auth-token: copy miner-auth-token from the node again; ` +
    "waiting for it to be renewed"
  expect(await ready(bench)).toBe(`503 not connected to ${NODE}: ${why}`)
  await bench.clock.advance(9000)
  expect(await ready(bench)).toBe(`503 not connected to ${NODE}: ${why}`)
  await bench.clock.advance(1000)
  transport.last.open()
  transport.last.receive(newJobMessage("1", headerOf(1), 1n))
  expect(await ready(bench)).not.toContain("not connected")
  await source.close()
})

async function submitThree(source: JobSource, job: Job, { stats }: Bench): Promise<void> {
  const seals = [1, 2, 3].map(salt => sealOf(job, salt))
  await Promise.all(seals.map(async seal => stats.seal(seal, await source.submit(seal), 0)))
}

test("held seals below a raised difficulty are counted as stale", async () => {
  const bench = new Bench()
  const pool = new FakePool()
  const jobs: Job[] = []
  const easy = { id: "1", header: headerOf(1), difficulty: 1n }
  pool.offer(easy)
  pool.source.start(eventsFor(bench.stats, jobs))
  await pool.elapse(1000)
  pool.drop()
  const submitted = submitThree(pool.source, jobs[0]!, bench)
  pool.offer({ ...easy, difficulty: U512_MAX })
  await pool.elapse(30_000)
  await submitted
  const metrics = await createExposition(bench.stats, "prometheus").render()
  expect(metrics).toContain(`miner_seals_total{source="${pool.name}",result="stale"} 3`)
  await pool.source.close()
})
