import { describe, expect, test } from "bun:test"
import { createExposition } from "../../src/observe/exposition.ts"
import { HISTOGRAMS, METRICS } from "../../src/observe/metrics.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE, POOL } from "./support.ts"

/** A miner with events of every kind. */
async function busyBench() {
  const bench = new Bench([fakeUnit("avx2/0"), fakeUnit("cuda/0", "gpu")])
  const { stats } = bench
  const prometheus = createExposition(stats, "prometheus")
  const openmetrics = createExposition(stats, "openmetrics")
  bench.details.set("cuda/0", {
    name: "NVIDIA H200",
    pci: "0000:65:00.0",
    temperatureCelsius: 61,
    fanPercent: 40,
    powerWatts: 500,
    clockHertz: 1.8e9,
  })
  stats.effectiveCpus({ count: 6, mask: "0-3,8-9", decidedBy: "cpuset" })
  stats.source(NODE)
  stats.source(POOL)
  stats.connected(NODE)
  stats.disconnected("timeout", "no answer", 1000, NODE)
  stats.connected(NODE)
  const first = fakeJob("a")
  stats.job(first)
  stats.switched("avx2/0", 1, 0.0004)
  stats.switched("cuda/0", 1, 0.03)
  await bench.run(12, 1000)
  stats.seal(fakeSeal(first), { result: "sent" }, 0.003)
  stats.job(fakeJob("b", { difficulty: 2n ** 80n, receivedAt: bench.clock.now() }))
  stats.restarted("avx2/0", "it hung")
  stats.mismatch("cuda/0")
  stats.mineRequest("duplicate")
  stats.httpRequest("/metrics", 200)
  return { bench, prometheus, openmetrics }
}

const render = ({ stats }: Bench) => createExposition(stats, "prometheus").render()

test.each(["prometheus", "openmetrics"] as const)("the %s text", async format => {
  const text = await (await busyBench())[format].render()
  expect(text.replaceAll(`bun="${Bun.version}"`, 'bun="?"')).toMatchSnapshot()
})

test("each format keeps its names when both are rendered repeatedly", async () => {
  const { prometheus: classic, openmetrics: open } = await busyBench()
  const texts = [await classic.render(), await open.render(), await classic.render(), await open.render()]
  expect(texts[2]).toBe(texts[0]!)
  expect(texts[3]).toBe(texts[1]!)
  expect(texts[0]).toContain("# TYPE miner_hashes_total counter\n")
  expect(texts[1]).toContain("# TYPE miner_hashes counter\n")
  expect(texts[1]).toEndWith("# EOF\n")
})

describe("series", () => {
  test("of rates are absent for the first ten seconds", async () => {
    const bench = new Bench()
    expect(await render(bench)).not.toMatch(/^miner_(cpu_|thread_)?hash_rate/m)
    await bench.run(10)
    const text = await render(bench)
    expect(text).toMatch(/^miner_hash_rate 200$/m)
    expect(text).toMatch(/^miner_thread_hash_rate\{engine="avx2",thread_id="1"\} 100$/m)
    expect(text).not.toMatch(/^miner_gpu_hash_rate/m)
  })

  test("disappear with their unit or source", async () => {
    const { bench, prometheus: exposition } = await busyBench()
    expect(await exposition.render()).toMatch(/^miner_gpu_power_watts\{device="cuda\/0"\} 500$/m)
    bench.units.pop()
    bench.stats.jobEnded(fakeJob("b"), "completed")
    const text = await exposition.render()
    expect(text).not.toContain("cuda")
    expect(text).not.toMatch(/^miner_job_(difficulty|age_seconds)/m)
    expect(text).not.toMatch(/^miner_gpu_hash_rate/m)
    expect(text).toMatch(/^miner_hashes_total 24000$/m)
    expect(text).toMatch(/^miner_gpu_devices 0$/m)
  })

  test("of a source exist for every result and reason from the start, so that rates include the first", async () => {
    const bench = new Bench()
    bench.stats.source(NODE)
    const text = await render(bench)
    expect(text.match(/^miner_seals_total\{.*\} 0$/gm)).toHaveLength(5)
    expect(text.match(/^miner_reconnects_total\{.*\} 0$/gm)).toHaveLength(7)
    expect(text).toContain(`miner_connection_up{source="${NODE}"} 0\n`)
  })

  test("read the counters on demand", async () => {
    const bench = new Bench()
    const exposition = createExposition(bench.stats, "prometheus")
    for (const hashes of [5n, 1_000_000n, 10n ** 15n]) {
      bench.units[0]!.hashes = hashes
      expect(await exposition.render()).toContain(`\nminer_hashes_total ${hashes}\n`)
    }
  })

  test("of the largest difficulty are finite", async () => {
    const bench = new Bench()
    bench.stats.job(fakeJob("a", { difficulty: 2n ** 512n - 1n }))
    expect(await render(bench)).toMatch(/^miner_job_difficulty 1\.34\d+e\+154$/m)
  })
})

test("external labels cannot break the text", async () => {
  const bench = new Bench()
  bench.stats.source('quic://"evil"\\\n')
  expect(await render(bench)).toContain('miner_connection_up{source="quic://\\"evil\\"\\\\\\n"} 0\n')
})

test("histograms count each observation in every bucket that holds it", async () => {
  const bench = new Bench()
  const exposition = createExposition(bench.stats, "prometheus")
  for (const seconds of [0.0001, 0.0002, 0.3, 7]) bench.stats.switched("avx2/0", 1, seconds)
  const text = await exposition.render()
  const bucket = (bound: string) =>
    Number(text.match(new RegExp(`^miner_job_switch_seconds_bucket\\{le="${bound}"\\} (\\d+)$`, "m"))?.[1])
  expect(["0.0001", "0.00025", "0.25", "1", "\\+Inf"].map(bucket)).toEqual([1, 2, 2, 3, 4])
  expect(text).toContain("\nminer_job_switch_seconds_count 4\n")
  expect(text).toContain("\nminer_job_switch_seconds_sum 7.3003\n")
})

test("every metric is declared once, with a help text", () => {
  const declared = [...METRICS, ...HISTOGRAMS]
  expect(new Set(declared.map(({ name }) => name)).size).toBe(declared.length)
  for (const { help } of declared) expect(help).toEndWith(".")
})

const promtool = Bun.which("promtool")

test.skipIf(!promtool)("promtool check metrics accepts the text (skipped without promtool)", async () => {
  const text = await (await busyBench()).prometheus.render()
  const { exitCode, stderr, stdout } = Bun.spawnSync([promtool!, "check", "metrics"], { stdin: Buffer.from(text) })
  expect(`${stdout}${stderr}`).toBe("")
  expect(exitCode).toBe(0)
})
