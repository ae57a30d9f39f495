/** The configuration file and the state directory of 0.1.0 load, and its dashboards and alerts find what they query. */
import { afterAll, describe, expect, test } from "bun:test"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { resolveConfig } from "../../src/config/config.ts"
import { systemFiles } from "../../src/config/files.ts"
import { HISTOGRAMS, METRICS } from "../../src/observe/metrics.ts"
import { MinerProcess } from "../support/miner-process.ts"

const old = join(import.meta.dir, "0.1.0")
const directory = mkdtempSync(join(tmpdir(), "quantus-upgrade-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test("a configuration file has the meaning that it had", async () => {
  const { settings, sources } = await resolveConfig("serve", ["--config", join(old, "miner.toml")], {}, systemFiles)
  expect(settings).toMatchObject({
    cpuWorkers: 3,
    cpuAffinity: [0, 1],
    cpuBatchSize: 10_000,
    engine: "wasm",
    recalibrate: false,
    gpuDevices: { kind: "count", count: 0 },
    gpuBatchSize: 1_048_576,
    gpuThrottleMs: 5,
    allowIntegrated: true,
    metricsPort: 9900,
    metricsHost: "0.0.0.0",
    stateDir: join(old, "state"),
    verbose: true,
    logFormat: "json",
  })
  expect(sources).toMatchObject([
    { name: "quic://192.0.2.7:9833", keepMining: true },
    { name: "stratum+tls://pool.example:4433", login: "qzA.rig", pin: undefined },
    { name: "stratum+tcp://pool.example:3333", login: "qzB.rig", pin: undefined },
  ])
  const [node, , pool] = sources as unknown as Record<string, { read(): string }>[]
  expect(node!["token"]!.read()).toBe("token-of-0.1.0")
  expect(node!["pin"]!.read()).toBe("cd".repeat(32))
  expect(pool!["password"]!.read()).toBe("x")
})

describe("a query of the dashboards and alerts", () => {
  /** Those that Prometheus adds. */
  const common = ["job", "instance"]
  const labelsOf = new Map([
    ["up", common],
    ...METRICS.map(({ name, labels }) => [name, [...labels, ...common]] as const),
    ...HISTOGRAMS.map(({ name }) => [`${name}_bucket`, ["le", ...common]] as const),
  ])
  const words = (text: string): string[] => text.match(/\w+/g) ?? []
  const queries = readFileSync(join(old, "queries.txt"), "utf8").trim().split("\n")

  test.each(queries)("%s", query => {
    const series = [...query.matchAll(/\b((?:miner|process)_\w+|up)\b(?:\{([^}]*)\})?/g)]
    expect(series.length).toBeGreaterThan(0)
    for (const [, name, matchers = ""] of series) {
      expect([...labelsOf.keys()]).toContain(name!)
      for (const label of words(matchers.replace(/"[^"]*"/g, ""))) expect(labelsOf.get(name!)).toContain(label)
    }
    const known = series.flatMap(([, name]) => labelsOf.get(name!) ?? [])
    for (const [, grouping] of query.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
      for (const label of words(grouping!)) expect(known).toContain(label)
  })
})

describe("a state directory", () => {
  const text = readFileSync(join(old, "state/calibration.json"), "utf8")

  async function started(name: string, calibration: string): Promise<MinerProcess> {
    const state = join(directory, name)
    cpSync(join(old, "state"), state, { recursive: true })
    await Bun.write(join(state, "calibration.json"), calibration)
    const args = ["--cpu-workers", "1", "--gpu-devices", "0", "--duration", "100ms", "--state-dir", state]
    const miner = new MinerProcess(["benchmark", ...args])
    expect(await miner.ended).toBe(0)
    expect(miner.text).toMatch(/Average rate/)
    return miner
  }

  test.each([
    ["of another machine", text],
    ["cut off", text.slice(0, 100)],
    ["edited", text.replace('"workers": 1', '"workers": 40')],
  ])(
    "%s costs a measurement and nothing else",
    async (name, calibration) => {
      await started(name, calibration)
      const written = JSON.parse(readFileSync(join(directory, name, "calibration.json"), "utf8"))
      expect(written).toMatchObject({ key: expect.anything(), calibration: { workers: 1 } })
    },
    60_000,
  )
})
