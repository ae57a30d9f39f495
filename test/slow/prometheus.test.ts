/** A real Prometheus server scrapes the miner and is queried. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Monitored, startMonitored } from "./monitored.ts"

const prometheus = Bun.which("prometheus")
if (!prometheus) console.log("Skipped: prometheus is not installed")

describe.skipIf(!prometheus)("Prometheus", () => {
  let miner: Monitored
  let server: Bun.Subprocess
  let directory = ""
  let url = ""

  beforeAll(async () => {
    miner = await startMonitored()
    directory = mkdtempSync(join(tmpdir(), "quantus-prometheus-"))
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [
        `${import.meta.dir}/../../systemd/prometheus/alerts.yml`,
        `${import.meta.dir}/../../deploy/prometheus/fleet.yml`,
      ],
      scrape_configs: [{ job_name: "quantus-miner", file_sd_configs: [{ files: [join(directory, "targets.yml")] }] }],
    }
    const targets = [{ targets: [`127.0.0.1:${miner.port}`], labels: { site: "hamburg", rack: "1" } }]
    await Bun.write(join(directory, "targets.yml"), JSON.stringify(targets))
    await Bun.write(join(directory, "prometheus.yml"), JSON.stringify(config))
    const address = `127.0.0.1:${await freePort()}`
    url = `http://${address}`
    const flags = [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=${address}`,
      "--log.level=error",
    ]
    server = Bun.spawn([prometheus!, ...flags], { stdin: "ignore", stdout: "ignore", stderr: "inherit" })
  }, 60_000)

  afterAll(async () => {
    server.kill()
    await Promise.all([server.exited, miner.stop()])
    rmSync(directory, { recursive: true, force: true })
  })

  test("scrapes OpenMetrics without an error", async () => {
    await until(async () => (await query("up")) === 1)
    const { data } = await ask("/api/v1/targets")
    expect(data.activeTargets?.[0]).toMatchObject({ health: "up", lastError: "" })
  }, 60_000)

  test("computes the hash rate from the counter: a million per second", async () => {
    await until(async () => (await query("count_over_time(miner_hashes_total[1m])")) >= 8)
    const rate = await query("rate(miner_hashes_total[5s])")
    console.log(`rate(miner_hashes_total[5s]) = ${rate.toFixed(0)}`)
    expect(rate).toBeGreaterThan(900_000)
    expect(rate).toBeLessThan(1_100_000)
  }, 60_000)

  test("has the ten-second rate, expected and found seals, and the latency", async () => {
    await until(async () => Number.isFinite(await query("miner_hash_rate")))
    expect(await query("miner_hash_rate")).toBeWithin(900_000, 1_100_000)
    expect(await query("rate(miner_expected_seals_total[5s])")).toBeWithin(0.9, 1.1)
    expect(await query('sum(rate(miner_seals_total{result="accepted"}[5s]))')).toBeWithin(0.7, 1.3)
    expect(
      await query("histogram_quantile(0.5, sum by (le) (rate(miner_seal_latency_seconds_bucket[5s])))"),
    ).toBeWithin(0.001, 0.002001)
  }, 60_000)

  test("loads the alerts; none fires for a healthy miner", async () => {
    const { data } = await ask("/api/v1/rules")
    const rules = data.groups?.flatMap(group => group.rules) ?? []
    expect(rules.length).toBeGreaterThanOrEqual(7)
    for (const rule of rules) {
      expect(rule).toMatchObject(rule.type === "alerting" ? { health: "ok", state: "inactive" } : { health: "ok" })
    }
  })

  test("records the hash rate of a site and rack that the discovery names", async () => {
    const series = 'job_site_rack:miner_hash_rate:sum{site="hamburg",rack="1"}'
    await until(async () => (await query(series)) > 0)
    expect(await query(series)).toBeWithin(900_000, 1_100_000)
  }, 30_000)

  /** The value of a query's first series; NaN if absent. */
  async function query(expression: string): Promise<number> {
    const { data } = await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`)
    return Number(data.result?.[0]?.value[1] ?? Number.NaN)
  }

  async function ask(path: string): Promise<Answer> {
    return (await fetch(url + path)).json() as Promise<Answer>
  }
})

interface Answer {
  readonly data: {
    readonly result?: readonly { readonly value: readonly [time: number, value: string] }[]
    readonly activeTargets?: readonly object[]
    readonly groups?: readonly { readonly rules: readonly { readonly type: string }[] }[]
  }
}

/** Checks the condition four times a second until it holds; a refused connection counts as false. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await Bun.sleep(250)
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
