/** Options of the established miner, accepted with the same names and ranges. */
import { expect, test } from "bun:test"
import { resolveConfig } from "../../src/config/config.ts"
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
