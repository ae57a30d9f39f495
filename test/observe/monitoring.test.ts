import { afterEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import type { Serving } from "../../src/http/serving.ts"
import { serveMonitoring } from "../../src/observe/monitoring.ts"
import { preferredFormat } from "../../src/observe/routes.ts"
import { collectLog } from "../support/collect-log.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE } from "./support.ts"

const open: Serving[] = []
afterEach(() => Promise.all(open.splice(0).map(server => server.close())))

async function start(bench = new Bench()) {
  const { stats, clock } = bench
  const server = await serveMonitoring({ stats, clock, log: collectLog(), host: "127.0.0.1", port: 0 })
  open.push(server)
  const get = (path: string, headers = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, { headers })
  return { bench, get, json: async (path: string): Promise<unknown> => (await get(path)).json() }
}

/** Two devices and two CPU workers, connected to a node and hashing, with seals of every kind. */
async function rig(): Promise<Bench> {
  const bench = new Bench([
    fakeUnit("cuda/0", "gpu"),
    fakeUnit("cuda/1", "gpu"),
    fakeUnit("avx2/0"),
    fakeUnit("avx2/1"),
  ])
  bench.details.set("cuda/0", { pci: "0000:65:00.0", temperatureCelsius: 61.4, fanPercent: 40 })
  const job = fakeJob("a")
  bench.stats.connected(NODE)
  bench.stats.effectiveCpus({ count: 4, decidedBy: "logical CPUs" })
  bench.stats.job(job)
  await bench.run(10, 250_000)
  for (const result of ["accepted", "accepted", "stale"] as const) bench.stats.seal(fakeSeal(job), { result }, 0.01)
  bench.stats.seal(fakeSeal(job), { result: "rejected", reason: "low difficulty share" }, 0.01)
  return bench
}

describe("/metrics", () => {
  test("is Prometheus text, or OpenMetrics if the client accepts it", async () => {
    const { get } = await start()
    const classic = await get("/metrics")
    expect(classic.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
    expect(await classic.text()).toContain("# TYPE miner_hashes_total counter\n")
    const modern = await get("/metrics", { Accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" })
    expect(modern.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8")
    expect(await modern.text()).toEndWith("# EOF\n")
  })

  test.each([
    ["", "prometheus"],
    ["*/*", "prometheus"],
    ["text/plain", "prometheus"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text;q=0", "prometheus"],
    ["application/openmetrics-text; version=1.0.0; q=0.3, text/plain;q=0.4", "prometheus"],
    ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", "openmetrics"],
  ])("Accept %p selects %s", (accept, format) => expect(preferredFormat(accept)).toBe(format as "prometheus"))

  test("counts its own requests by route", async () => {
    const { get } = await start()
    await get("/metrics")
    await get("/wp-login.php")
    await get("/.env")
    const text = await (await get("/metrics")).text()
    expect(text).toContain('miner_http_requests_total{endpoint="/metrics",code="200"} 1\n')
    expect(text).toContain('miner_http_requests_total{endpoint="other",code="404"} 2\n')
  })
})

test("healthy means alive, ready means connected and hashing", async () => {
  const { bench, get } = await start()
  expect((await get("/-/healthy")).status).toBe(200)
  const before = await get("/-/ready")
  expect(before.status).toBe(503)
  expect(await before.text()).toBe("no source has connected yet\n")
  bench.stats.connected(NODE)
  bench.stats.job(fakeJob("a"))
  await bench.run(1)
  const after = await get("/-/ready")
  expect([after.status, await after.text()]).toEqual([200, "ready\n"])
})

test("/hive-stats has the format of h-stats.sh: devices, then the CPU", async () => {
  const { json } = await start(await rig())
  expect(await json("/hive-stats")).toEqual({
    hs: [250, 250, 500],
    hs_units: "khs",
    temp: [61, 0, 0],
    fan: [40, 0, 0],
    uptime: 10,
    ver: "1.2.3",
    ar: [2, 1],
    algo: "quantus",
    bus_numbers: [0x65, null, null],
  })
})

test("/2/summary has xmrig's fields", async () => {
  const { json } = await start(await rig())
  expect(await json("/2/summary")).toMatchObject({
    worker_id: expect.any(String),
    uptime: 10,
    resources: { memory: { resident_set_memory: expect.any(Number) }, load_average: expect.any(Array) },
    results: { diff_current: 1000, shares_good: 2, shares_total: 4, avg_time: 5, hashes_total: 10_000_000 },
    algo: "quantus",
    connection: { pool: NODE, uptime: 10, failures: 0, diff: 1000, accepted: 2, rejected: 1 },
    version: "1.2.3",
    cpu: { threads: 4, workers: 2 },
    paused: false,
    hashrate: { total: [1_000_000, null, null], highest: 1_000_000 },
  })
})

test("/1/summary is an alias, with ten best results and the rate of every unit", async () => {
  const { json } = await start(await rig())
  expect(await json("/1/summary")).toMatchObject({
    results: { best: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    hashrate: { threads: Array.from({ length: 4 }, () => [250_000, null, null]) },
  })
})

describe("the page", () => {
  test("is one document whose policy allows only its own script and style", async () => {
    const { get } = await start()
    const response = await get("/")
    const html = await response.text()
    const policy = response.headers.get("content-security-policy")
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8")
    for (const tag of ["style", "script"]) {
      const content = html.match(new RegExp(`<${tag}>([^]*?)</${tag}>`))?.[1] ?? ""
      expect(content.length).toBeGreaterThan(1000)
      expect(policy).toContain(`${tag}-src 'sha256-${createHash("sha256").update(content).digest("base64")}'`)
    }
    expect(policy).toStartWith("default-src 'none'")
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  test("has a plain JavaScript script that uses only elements of the document", async () => {
    const { get } = await start()
    const html = await (await get("/")).text()
    const script = html.match(/<script>(.*?)<\/script>/s)![1]!
    expect(() => new Function(script)).not.toThrow()
    const used = [...script.matchAll(/\b(?:element|put|describe)\("([^"]+)"/g)].map(([, id]) => id!)
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!))
    expect(used.length).toBeGreaterThan(30)
    expect(used.filter(id => !ids.has(id))).toEqual([])
  })

  test("reads a snapshot with exact integers", async () => {
    const { json } = await start(await rig())
    expect(await json("/api/snapshot")).toMatchObject({
      hostname: expect.any(String),
      hashes: "10000000",
      job: { id: "a", difficulty: "1000", header: "ab".repeat(32) },
      sources: [{ name: NODE, up: true, active: true }],
    })
  })

  test("reads the history of the hash rate", async () => {
    const { json, get } = await start(await rig())
    expect(await json("/api/history?seconds=900")).toEqual({ stepSeconds: 5, rates: [null, null, 1_000_000] })
    for (const seconds of ["59", "86401", "x", "", "-1", "NaN"]) {
      expect((await get(`/api/history?seconds=${seconds}`)).status).toBe(400)
    }
  })
})

test("prom-client is not loaded before monitoring starts", async () => {
  const code = `
    await import("./src/observe/stats.ts"), await import("./src/observe/monitoring.ts")
    console.log(Object.keys(require.cache).filter(path => path.includes("prom-client")).length)`
  const { stdout } = Bun.spawnSync([process.execPath, "-e", code], { cwd: `${import.meta.dir}/../..` })
  expect(stdout.toString()).toBe("0\n")
})
