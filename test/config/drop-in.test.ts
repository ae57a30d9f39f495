/** Options of the established miner, accepted with the same names and ranges. */
import { expect, test } from "bun:test"
import type { Command } from "../../src/config/commands.ts"
import { resolveConfig } from "../../src/config/config.ts"
import commandLines from "./established-miner.json" with { type: "json" }
import { memoryFiles } from "./memory-files.ts"

const CREDENTIALS = { MINER_AUTH_TOKEN: "token", MINER_TLS_CERT_SHA256: "ab".repeat(32) }

const settings = async (args: string[], env: Record<string, string> = {}) =>
  (await resolveConfig("serve", args, { ...CREDENTIALS, ...env }, memoryFiles({}))).settings

test("--metrics-bind is an alias of --metrics-host", async () => {
  expect((await settings(["--metrics-bind", "0.0.0.0"])).metricsHost).toBe("0.0.0.0")
  expect((await settings([], { MINER_METRICS_BIND: "::" })).metricsHost).toBe("::")
})

test("batch sizes start at 1, a GPU's pause is at most 2^31 - 1 ms", async () => {
  expect((await settings(["--cpu-batch-size", "1"])).cpuBatchSize).toBe(1)
  expect((await settings(["--gpu-throttle-ms", "2147483647"])).gpuThrottleMs).toBe(2147483647)
  await expect(settings(["--gpu-throttle-ms", "2147483648"])).rejects.toMatchObject({ exitCode: 64 })
})

test.each(commandLines)("$env $args", async ({ args, env, settings: expected }) => {
  const [command, ...rest] = args
  const files = memoryFiles({ "/path/to/miner-auth-token": "token", "/path/to/miner-tls-cert-sha256": "ab".repeat(32) })
  const { settings, sources } = await resolveConfig(command as Command, rest, env as Record<string, string>, files)
  expect(settings).toMatchObject(expected)
  if (command === "serve") {
    expect(sources.map(source => source.name)).toEqual(["quic://127.0.0.1:9833"])
  }
})

test("one-letter flags take their value in every usual form", async () => {
  for (const args of [["-d", "30"], ["-d30"], ["-d=30"], ["--duration=30"]]) {
    const { settings } = await resolveConfig("benchmark", [...args, "-v"], {}, memoryFiles({}))
    expect(settings).toMatchObject({ duration: 30, verbose: true })
  }
  await expect(resolveConfig("serve", ["-d", "30"], {}, memoryFiles({}))).rejects.toMatchObject({ exitCode: 64 })
  await expect(resolveConfig("benchmark", ["-x"], {}, memoryFiles({}))).rejects.toThrow("unknown flag -x")
})

test.each([
  ["debug", true],
  ["info,quantus_miner=trace", true],
  ["info", false],
  ["", false],
])("RUST_LOG=%s sets --verbose: %p", async (value, verbose) => {
  expect((await settings([], { RUST_LOG: value })).verbose).toBe(verbose)
})

test("MINER_VERBOSE overrides RUST_LOG, and NO_COLOR sets --no-color", async () => {
  expect((await settings([], { RUST_LOG: "debug", MINER_VERBOSE: "no" })).verbose).toBe(false)
  expect((await settings([], { NO_COLOR: "1" })).noColor).toBe(true)
  expect((await settings([], { NO_COLOR: "" })).noColor).toBe(false)
})
