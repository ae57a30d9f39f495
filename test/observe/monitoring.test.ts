import { afterEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { type Monitoring, type MonitoringOptions, serveMonitoring } from "../../src/observe/monitoring.ts"
import { preferredFormat } from "../../src/observe/routes.ts"
import { collectLog } from "../support/collect-log.ts"
import { createPem } from "../support/pem.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE } from "./support.ts"

const open: Monitoring[] = []
afterEach(() => Promise.all(open.splice(0).map(server => server.close())))

async function start(bench = new Bench(), options: Partial<MonitoringOptions> = {}) {
  const { stats, clock } = bench
  const log = collectLog()
  const setPaused = (paused: boolean) => stats.paused(paused ? ["http"] : [])
  const server = await serveMonitoring({ stats, clock, log, host: "127.0.0.1", port: 0, setPaused, ...options })
  open.push(server)
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`
  const get = (path: string, headers = {}) => fetch(url(path), { headers })
  const post = (path: string, headers = {}) => fetch(url(path), { method: "POST", headers })
  return { bench, server, log, get, post, json: async (path: string): Promise<unknown> => (await get(path)).json() }
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

describe("in a container", () => {
  const line = (host: string) =>
    `info metrics on ${host} cannot be reached from outside this container unless it shares the host's network: --metrics-host 0.0.0.0 serves them on every address`

  test("metrics on loopback get one line that says so", async () => {
    const { log } = await start(undefined, { inContainer: true })
    expect(log.texts.filter(text => text.includes("container"))).toEqual([line("127.0.0.1")])
  })

  test("metrics on other addresses, and metrics outside a container, do not", async () => {
    for (const options of [{ inContainer: true, host: "0.0.0.0" }, { inContainer: false }]) {
      const { log } = await start(undefined, options)
      expect(log.texts.filter(text => text.includes("container"))).toEqual([])
    }
  })
})

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
    name: "rig7",
    temp: [61, null, null],
    fan: [40, null, null],
    uptime: 10,
    ver: "1.2.3",
    ar: [2, 1],
    algo: "quantus",
    bus_numbers: [0x65, null, null],
  })
})

test("/mmpos has the format of mmp-stats.sh: the CPU, then devices by bus; counts as text", async () => {
  const { json } = await start(await rig())
  expect(await json("/mmpos")).toEqual({
    busid: ["cpu", 0x65, null],
    hash: [500_000, 250_000, 250_000],
    units: "hs",
    air: ["2", "0", "1"],
    miner_name: "quantus-miner",
    miner_version: "1.2.3",
  })
})

test("rig monitors get null, never 0, while a rate is unknown", async () => {
  const { json } = await start(new Bench())
  const { hs } = (await json("/hive-stats")) as { hs: unknown[] }
  const { hash } = (await json("/mmpos")) as { hash: unknown[] }
  expect(hs.length).toBeGreaterThan(0)
  expect([...hs, ...hash].filter(rate => rate !== null)).toEqual([])
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

describe("with a token", () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  test("everything but health and the page's document requires it", async () => {
    const { get } = await start(await rig(), { token: { read: () => "secret" } })
    for (const path of [
      "/metrics",
      "/hive-stats",
      "/mmpos",
      "/1/summary",
      "/2/summary",
      "/api/snapshot",
      "/api/history",
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 401])
      expect([path, (await get(path, bearer("secret"))).status]).toEqual([path, 200])
    }
    for (const path of ["/", "/-/healthy", "/-/ready"]) expect([path, (await get(path)).status]).toEqual([path, 200])
  })

  test("only clients with it see why the miner is not ready", async () => {
    const { get } = await start(new Bench(), { token: { read: () => "secret" } })
    expect(await (await get("/-/ready")).text()).toBe("not ready\n")
    expect(await (await get("/-/ready", bearer("secret"))).text()).toBe("no source has connected yet\n")
  })

  test("it can be renewed; a file that has become unusable keeps the previous token, with a warning", async () => {
    let read = () => "first"
    const { get, server, log } = await start(new Bench(), { token: { read: () => read() } })
    const status = async (token: string) => (await get("/metrics", bearer(token))).status
    read = () => "second"
    expect([await status("first"), await status("second")]).toEqual([200, 401])
    await server.reload()
    expect([await status("first"), await status("second")]).toEqual([401, 200])
    read = () => {
      throw new Error("/etc/token does not exist")
    }
    await server.reload()
    expect(await status("second")).toBe(200)
    expect(log.texts.at(-1)).toBe("warn /etc/token does not exist: the previous content stays in use")
  })

  test("mining is paused and resumed", async () => {
    const { bench, get, post } = await start(await rig(), { token: { read: () => "secret" } })
    const paused = async () => {
      const text = await (await get("/metrics", bearer("secret"))).text()
      return [...text.matchAll(/^miner_paused\{reason="(\w+)"\} 1$/gm)].map(([, reason]) => reason)
    }
    expect(await paused()).toEqual([])
    const answer = await post("/-/pause", bearer("secret"))
    expect([answer.status, await answer.text()]).toEqual([200, "paused (http)\n"])
    expect(await paused()).toEqual(["http"])
    await bench.run(600, 0)
    const ready = await get("/-/ready", bearer("secret"))
    expect([ready.status, await ready.text()]).toEqual([200, "paused (http)\n"])
    expect(await (await post("/-/resume", bearer("secret"))).text()).toBe("mining\n")
    expect(await paused()).toEqual([])
  })

  test("pausing requires it, and a server without one refuses to pause", async () => {
    const guarded = await start(new Bench(), { token: { read: () => "secret" } })
    const open = await start()
    for (const path of ["/-/pause", "/-/resume"]) {
      expect((await guarded.post(path)).status).toBe(401)
      expect((await guarded.post(path, bearer("guess"))).status).toBe(401)
      expect((await guarded.get(path, bearer("secret"))).status).toBe(405)
      expect((await open.post(path, bearer("secret"))).status).toBe(403)
    }
    expect(guarded.bench.stats.snapshot().pauses).toEqual([])
    expect(open.bench.stats.snapshot().pauses).toEqual([])
  })
})

describe("with TLS", () => {
  test("metrics are served with the certificate, and with the new one after a reload", async () => {
    const [first, second] = [await createPem(), await createPem()]
    let identity = first
    const { server, log } = await start(new Bench(), { tls: { read: () => identity } })
    const status = async (ca: string) => {
      const url = `https://localhost:${server.port}/metrics`
      return await fetch(url, { tls: { ca } }).then(
        ({ status }) => status,
        () => "untrusted",
      )
    }
    expect(log.texts[0]).toBe(`info serving https://127.0.0.1:${server.port}/ and /metrics`)
    expect([await status(first.cert), await status(second.cert)]).toEqual([200, "untrusted"])
    await server.reload()
    expect(log.texts).toHaveLength(1)
    identity = second
    await server.reload()
    expect([await status(first.cert), await status(second.cert)]).toEqual(["untrusted", 200])
  })
})

describe("a warning about open metrics", () => {
  const warnings = async (options: Partial<MonitoringOptions>) => {
    const { log } = await start(new Bench(), options)
    return log.texts.filter(text => text.startsWith("warn"))
  }

  test("is logged off loopback without a token", async () => {
    expect(await warnings({ host: "0.0.0.0" })).toEqual([
      "warn the metrics on 0.0.0.0 are open to everyone who can connect: require a token by --metrics-token-file",
    ])
  })

  test("is not logged with a token or on loopback", async () => {
    expect(await warnings({ host: "0.0.0.0", token: { read: () => "secret" } })).toEqual([])
    for (const host of ["127.0.0.1", "127.8.8.8", "localhost"]) expect(await warnings({ host })).toEqual([])
  })
})

test("names in --metrics-allowed-hosts are accepted as hosts", async () => {
  const { get } = await start(new Bench(), { allowedHosts: ["rig.example"] })
  expect((await get("/metrics", { host: "rig.example:9900" })).status).toBe(200)
  expect((await get("/metrics", { host: "evil.example" })).status).toBe(421)
})

test("prom-client is not loaded before monitoring starts", async () => {
  const code = `
    await import("./src/observe/stats.ts"), await import("./src/observe/monitoring.ts")
    console.log(Object.keys(require.cache).filter(path => path.includes("prom-client")).length)`
  const { stdout } = Bun.spawnSync([process.execPath, "-e", code], { cwd: `${import.meta.dir}/../..` })
  expect(stdout.toString()).toBe("0\n")
})
