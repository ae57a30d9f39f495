import { describe, expect, test } from "bun:test"
import { lastWords, speedText, startStatusLine, statusLine } from "../../src/observe/status-line.ts"
import { Terminal } from "../../src/observe/terminal.ts"
import { collectLog } from "../support/collect-log.ts"
import { Bench, fakeJob, fakeSeal, fakeUnit, NODE } from "./support.ts"

function screen(isTTY: boolean) {
  const written: string[] = []
  return { written, terminal: new Terminal({ isTTY, columns: 100, write: text => written.push(text) }) }
}

describe("the plain line", () => {
  test("gives each rate with its unit, without windows that are not full", () => {
    const rates = { tenSeconds: 2_057_123, minute: 999_000, quarterHour: undefined, highest: 2_100_000 }
    expect(speedText(rates)).toBe("10s 2.057 MH/s 60s 999.0 kH/s max 2.100 MH/s")
    expect(speedText({ tenSeconds: undefined, minute: undefined, quarterHour: undefined, highest: undefined })).toBe("")
  })

  test.each([
    ["in a pipe", false, true],
    ["on a terminal without a status line", true, false],
  ] as const)("comes after 15 s and then every 60 s %s", async (_where, isTTY, redrawn) => {
    const { stats, clock, ...bench } = new Bench()
    const log = collectLog()
    const { terminal, written } = screen(isTTY)
    const stop = startStatusLine({ stats, clock, log, terminal, redrawn })
    for (let second = 0; second < 60; second++) {
      for (const unit of bench.units) unit.hashes += 5000n
      await clock.advance(1000)
    }
    expect(log.lines.map(({ message }) => message)).toEqual([
      "speed 10s 10.00 kH/s max 10.00 kH/s",
      expect.stringMatching(/^speed 10s 10\.00 kH\/s (60s 10\.00 kH\/s )?max 10\.00 kH\/s$/),
    ])
    // Scripts that watch established miners look for a rate in the log.
    for (const { message } of log.lines) expect(message).toMatch(/[0-9.]+ [kMG]?H\/s/)
    stop()
    await clock.advance(120_000)
    expect(log.lines).toHaveLength(2)
    expect(written).toEqual([])
  })
})

describe("the status line", () => {
  test("is redrawn four times a second and leaves a clean line", async () => {
    const { stats, clock } = new Bench()
    const log = collectLog()
    const { terminal, written } = screen(true)
    const stop = startStatusLine({ stats, clock, log, terminal, redrawn: true })
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
      "10s 2.000 MH/s 60s 2.000 MH/s | job 70655-10000… diff 10.00 G 00:01:01 | seals 1, 122.0 k expected (P < 0.001), one per 01:23:20 | 00:01:01 | quic://127.0.0.1:9833",
    )
    bench.stats.seal(fakeSeal(job), { result: "stale" }, 0.1)
    expect(statusLine(bench.stats.snapshot(), 200)).toContain(
      "| seals 1 of 2, 122.0 k expected (P < 0.001), one per 01:23:20 |",
    )
  })

  test("shows the expected seals, and how probable it was to find so few or more", async () => {
    const now = new Bench().stats.snapshot()
    const expectation = {
      found: 3,
      expected: 3.4,
      secondsPerSeal: 60,
      probabilityOfSoFew: 0.56,
      probabilityOfSoMany: 0.66,
    }
    const line = (more: object) => statusLine({ ...now, expectation: { ...expectation, ...more } }, 200)
    expect(line({})).toContain("| seals 0, 3.4 expected (P 0.56), one per 00:01:00 |")
    expect(line({ found: 4 })).toContain("3.4 expected (P 0.66)")
    expect(line({ probabilityOfSoFew: 1e-5 })).toContain("(P < 0.001)")
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
