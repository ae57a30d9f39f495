/** The built executable, mining for its development node. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { progressOf } from "../../src/commands/mining.ts"
import { createKernel } from "../../src/engines/cpu/kernels.ts"
import type { Unit } from "../../src/engines/engine.ts"
import { MinerProcess } from "../support/miner-process.ts"

const ENGINE = ["--engine", "wasm", "--cpu-workers", "1", "--gpu-devices", "0"]

test("demo mines for its embedded node until the number of seals is accepted", async () => {
  const demo = new MinerProcess(["demo", ...ENGINE, "--seals", "2", "--difficulty", "2000"])
  expect({ code: await demo.ended, text: demo.text }).toMatchObject({ code: 0 })
  expect(demo.text).toContain(" 2 seals accepted")
}, 30_000)

describe("benchmark", () => {
  test("--json prints one object, alone on standard output", async () => {
    const miner = new MinerProcess(["benchmark", ...ENGINE, "--duration", "300ms", "--json"])
    expect(await miner.ended).toBe(0)
    const [json, ...others] = miner.lines.filter(({ text }) => text.startsWith("{"))
    expect(others).toEqual([])
    const { units, ...outcome } = JSON.parse(json!.text)
    expect(Object.keys(outcome)).toEqual(expect.arrayContaining(["cpu_power_watts", "cpu_hashes_per_joule"]))
    expect(outcome).toEqual({
      // Null unless this process may read RAPL.
      cpu_power_watts: outcome.cpu_power_watts,
      cpu_hashes_per_joule: outcome.cpu_hashes_per_joule,
      engine: "wasm",
      kernel: "wasm",
      workers: 1,
      seconds: expect.any(Number),
      hashes: expect.any(Number),
      hashes_per_second: outcome.hashes / outcome.seconds,
      hits: expect.any(Number),
      expected_hits: expect.any(Number),
    })
    expect(outcome.hashes).toBeGreaterThan(0)
    expect(units).toEqual([{ id: "wasm/0", kind: "cpu", hashes_per_second: expect.any(Number) }])
  }, 30_000)

  test("ends with the average rate", async () => {
    const miner = new MinerProcess(["benchmark", ...ENGINE, "--duration", "200ms"])
    expect(await miner.ended).toBe(0)
    expect(miner.text).toMatch(/^Hits +\d+ verified, [\d.]+ expected$/m)
    expect(miner.text).toMatch(/^Average rate: [\d.]+ .?H\/s$/m)
  }, 30_000)

  test("an unknown engine is a usage error", async () => {
    const miner = new MinerProcess(["benchmark", "--engine", "abacus"])
    expect(await miner.ended).toBe(64)
    expect(miner.text).toStartWith("quantus-miner: --engine abacus is unknown: available engines are auto, ")
  })

  test("neither workers nor GPUs is a usage error", async () => {
    const miner = new MinerProcess(["benchmark", "--cpu-workers", "0", "--gpu-devices", "0"])
    expect(await miner.ended).toBe(64)
    expect(miner.text).toContain("quantus-miner: --cpu-workers 0 leaves nothing to mine with")
  })
})

describe("serve", () => {
  const dir = mkdtempSync(join(tmpdir(), "quantus-miner-node-"))
  let node: MinerProcess
  let serve: string[]

  beforeAll(async () => {
    node = new MinerProcess(["node", "--port", "0", "--dir", dir, "--difficulty", "2000"])
    const { text } = await node.line(/listening on/)
    const [address] = /127\.0\.0\.1:\d+/.exec(text)!
    serve = ["serve", ...ENGINE, "--node-addr", address, "--auth-token-file", join(dir, "miner-auth-token")]
  }, 30_000)

  afterAll(async () => {
    expect(await node.stop()).toBe(0)
    expect(node.text).toMatch(/\d+ jobs, \d+ valid seals, 0 invalid/)
    rmSync(dir, { recursive: true, force: true })
  })

  test.each(["SIGINT", "SIGTERM"] as const)(
    "mines until %s and logs its final counts",
    async signal => {
      const miner = new MinerProcess(serve)
      await miner.line(/the seal of .* was sent/)
      miner.kill(signal)
      expect(await miner.ended).toBe(0)
      expect(miner.text).toMatch(
        /stopped after [\d,]+ hashes and \d+ seals? \(\d+ sent\) in 00:00:\d\d, .*H\/s on average/,
      )
    },
    30_000,
  )

  test("SIGHUP does not stop it under a service manager", async () => {
    const miner = new MinerProcess([...serve, "--verbose"], { env: { INVOCATION_ID: "1" } })
    await miner.line(/connected to/)
    miner.kill("SIGHUP")
    await miner.line(/was sent/, miner.lines.length)
    expect(await miner.stop()).toBe(0)
  }, 30_000)

  test("SIGUSR1 pauses it and SIGUSR2 resumes it", async () => {
    const miner = new MinerProcess([...serve, "--verbose"])
    await miner.line(/was sent/)
    miner.kill("SIGUSR1")
    await miner.line(/pause \(signal\): now paused \(signal\)/)
    miner.kill("SIGUSR2")
    await miner.line(/resume \(signal\): now mining/)
    await miner.line(/was sent/, miner.lines.length)
    expect(await miner.stop()).toBe(0)
  }, 30_000)

  test("is paused and resumed by HTTP with a token, beside signals, and keeps its connection", async () => {
    const tokenFile = join(dir, "metrics-token")
    await Bun.write(tokenFile, "secret\n")
    chmodSync(tokenFile, 0o600)
    const miner = new MinerProcess([...serve, "--metrics-port", "0", "--metrics-token-file", tokenFile])
    const { text } = await miner.line(/http:\/\/127\.0\.0\.1:\d+/)
    const base = /http:\/\/127\.0\.0\.1:\d+/.exec(text)![0]
    const headers = { authorization: "Bearer secret" }
    const post = async (path: string) => (await fetch(base + path, { method: "POST", headers })).text()
    const metric = async (name: string) => {
      const metrics = await (await fetch(`${base}/metrics`, { headers })).text()
      return Number(
        metrics
          .split("\n")
          .find(line => line.startsWith(`${name} `))!
          .split(" ")
          .at(-1),
      )
    }
    await miner.line(/was sent/)
    expect(await post("/-/pause")).toBe("paused (http)\n")
    // The row under way still counts, and one that begins before the pause is read.
    const most = (await metric("miner_hashes_total")) + 2 * createKernel("wasm").row
    miner.kill("SIGUSR1")
    await miner.line(/pause \(signal\): now paused \(http, signal\)/)
    expect(await post("/-/resume")).toBe("paused (signal)\n")
    expect(await metric("miner_hashes_total")).toBeLessThanOrEqual(most)
    expect(await metric('miner_paused{reason="signal"}')).toBe(1)
    expect(await metric('miner_paused{reason="http"}')).toBe(0)
    expect((await fetch(`${base}/-/ready`)).status).toBe(200)
    miner.kill("SIGUSR2")
    await miner.line(/now mining/)
    await miner.line(/was sent/, miner.lines.length)
    while ((await metric("miner_hashes_total")) <= most) await Bun.sleep(5)
    expect(miner.lines.filter(({ text }) => text.includes("connected to"))).toHaveLength(1)
    expect(await miner.stop()).toBe(0)
  }, 30_000)

  test("a reload of the service renews the metrics token", async () => {
    const tokenFile = join(dir, "renewed-token")
    const write = (token: string) => writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
    write("first")
    const miner = new MinerProcess([...serve, "--metrics-port", "0", "--metrics-token-file", tokenFile], {
      env: { INVOCATION_ID: "1" },
    })
    const { text } = await miner.line(/http:\/\/127\.0\.0\.1:\d+/)
    const url = `${/http:\/\/127\.0\.0\.1:\d+/.exec(text)![0]}/metrics`
    const status = async (token: string) => (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
    await miner.line(/was sent/)
    write("second")
    expect([await status("first"), await status("second")]).toEqual([200, 401])
    miner.kill("SIGHUP")
    while ((await status("second")) !== 200) await Bun.sleep(10)
    expect(await status("first")).toBe(401)
    expect(await miner.stop()).toBe(0)
  }, 30_000)

  test("stops while it waits for a node", async () => {
    const miner = new MinerProcess(["serve", ...ENGINE, "--auth-token", "t", "--tls-cert-sha256", "00".repeat(32)], {
      env: { MINER_NODE_ADDR: "127.0.0.1:1" },
    })
    await miner.line(/wasm|CPU/)
    expect(await miner.stop()).toBe(0)
  }, 30_000)

  test("a permanent error is one log line and a dedicated exit code", async () => {
    const miner = new MinerProcess([...serve, "--tls-cert-sha256", "00".repeat(32), "--log-format", "json"])
    expect(await miner.ended).toBe(77)
    const lines = miner.lines.map(({ text }) => JSON.parse(text))
    expect(lines.filter(({ level }) => level === "error")).toEqual([
      { time: expect.any(String), level: "error", tag: "", message: expect.stringContaining("certificate") },
    ])
    expect(miner.text).not.toContain("00".repeat(32))
  }, 30_000)
})

test("progress means hashes or no work", () => {
  const unit = { hashes: 0n, sequence: 0 } as { hashes: bigint; sequence: number } & Unit
  const progressing = progressOf(() => [unit])
  expect(progressing()).toBe(true)
  expect(progressing()).toBe(true)
  unit.sequence = 1
  expect(progressing()).toBe(false)
  unit.hashes = 1n
  expect(progressing()).toBe(true)
  expect(progressing()).toBe(false)
})
