import { describe, expect, test } from "bun:test"
import { lastWords, speedLine, startStatusLine, statusLine } from "../../src/observe/status-line.ts"
import { Terminal } from "../../src/observe/terminal.ts"
import { collectLog } from "../support/collect-log.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE } from "./support.ts"

function screen(isTTY: boolean) {
  const written: string[] = []
  return { written, terminal: new Terminal({ isTTY, columns: 100, write: text => written.push(text) }) }
}

describe("the plain line", () => {
  test("has xmrig's shape", () => {
    const rates = { tenSeconds: 2_057_123, minute: 2_049_000, quarterHour: undefined, highest: 2_100_000 }
    expect(speedLine(rates)).toBe("speed 10s/60s/15m 2.057 2.049 n/a MH/s max 2.100")
    const unknown = { tenSeconds: undefined, minute: undefined, quarterHour: undefined, highest: undefined }
    expect(speedLine(unknown)).toBe("speed 10s/60s/15m n/a n/a n/a H/s max n/a")
  })

  test.each([
    ["in a pipe", false, "pretty"],
    ["as JSON on a terminal", true, "json"],
  ] as const)("comes every 60 s %s", async (_where, isTTY, format) => {
    const { stats, clock, ...bench } = new Bench()
    const log = collectLog()
    const { terminal, written } = screen(isTTY)
    const stop = startStatusLine({ stats, clock, log, terminal, format })
    for (let second = 0; second < 60; second++) {
      for (const unit of bench.units) unit.hashes += 5000n
      await clock.advance(1000)
    }
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]?.message).toMatch(/^speed 10s\/60s\/15m 10\.00 (10\.00|n\/a) n\/a kH\/s max 10\.00$/)
    stop()
    await clock.advance(120_000)
    expect(log.lines).toHaveLength(1)
    expect(written).toEqual([])
  })
})

describe("the status line", () => {
  test("is redrawn four times a second and leaves a clean line", async () => {
    const { stats, clock } = new Bench()
    const log = collectLog()
    const { terminal, written } = screen(true)
    const stop = startStatusLine({ stats, clock, log, terminal, format: "pretty" })
    expect(written).toHaveLength(1)
    await clock.advance(1000)
    expect(written.length).toBeGreaterThan(1)
    stop()
    expect(written.at(-1)).toBe("\r\x1b[2K")
    expect(log.lines).toEqual([])
  })

  test("shows rates, job, seals, uptime and source", async () => {
    const bench = new Bench()
    const job = fakeJob("70655-10000000000", { difficulty: 10_000_000_000n })
    bench.stats.connected(NODE)
    bench.stats.job(job)
    await bench.run(61, 1_000_000)
    bench.stats.seal(fakeSeal(job), { result: "accepted" }, 0.1)
    expect(statusLine(bench.stats.snapshot(), 200)).toBe(
      "10s/60s/15m 2.000 2.000 n/a MH/s | job 70655-10000… diff 10.00 G 00:01:01 | seals 1 | 00:01:01 | quic://127.0.0.1:9833",
    )
    bench.stats.seal(fakeSeal(job), { result: "stale" }, 0.1)
    expect(statusLine(bench.stats.snapshot(), 200)).toContain("| seals 1 of 2 |")
  })

  test("shows devices", () => {
    const bench = new Bench([fakeUnit("cuda/0", "gpu"), fakeUnit("cuda/1", "gpu")])
    bench.details.set("cuda/0", { temperatureCelsius: 61, powerWatts: 400.4 })
    bench.details.set("cuda/1", { temperatureCelsius: 67, powerWatts: 410 })
    expect(statusLine(bench.stats.snapshot(), 200)).toContain("| 67 °C 810 W")
  })

  test("reports why the miner is not mining", () => {
    const { stats } = new Bench()
    stats.disconnected("refused", "connection refused", 1000, NODE)
    expect(statusLine(stats.snapshot(), 200)).toContain("not connected to quic://127.0.0.1:9833: connect… |")
  })

  test("fits the terminal and neutralizes external control characters", () => {
    const { stats } = new Bench()
    stats.job(fakeJob("\x1b[2J\x07boom"))
    for (let columns = 0; columns < 150; columns++) {
      const line = statusLine(stats.snapshot(), columns)
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
      expect(Bun.stripANSI(line)).toBe(line)
    }
  })
})

test("the final line gives the counts", async () => {
  const bench = new Bench()
  expect(lastWords(bench.stats.snapshot())).toBe("stopped after 0 hashes and 0 seals in 00:00:00, n/a on average")
  await bench.run(600, 1_000_000)
  const job = fakeJob("a")
  for (const result of ["accepted", "accepted", "stale"] as const) bench.stats.seal(fakeSeal(job), { result }, 0.1)
  expect(lastWords(bench.stats.snapshot())).toBe(
    "stopped after 1,200,000,000 hashes and 3 seals (2 accepted, 1 stale) in 00:10:00, 2.000 MH/s on average",
  )
})
