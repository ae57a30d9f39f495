import { afterEach, expect, spyOn, test } from "bun:test"
import { localUrl, run } from "../../src/commands/health.ts"
import { type Config, resolveConfig } from "../../src/config/config.ts"
import { memoryFiles } from "../config/memory-files.ts"
import { createPem } from "../support/pem.ts"

type Settings = Config<"health">["settings"]

const servers: Bun.Server<undefined>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true)
  process.exitCode = 0
})

/** Address of a server that gives one answer to every request. */
function answering(status: number, text: string): URL {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(text, { status }) })
  servers.push(server)
  return server.url
}

const OPEN = { token: undefined, tls: undefined }

async function health(
  settings: Partial<Settings>,
  monitoring: Config<"health">["monitoring"] = OPEN,
): Promise<{ said: string; code: number }> {
  const log = spyOn(console, "log").mockImplementation(() => {})
  await run({ settings, monitoring } as Config<"health">)
  const said = log.mock.calls.map(String).join("\n")
  log.mockRestore()
  return { said, code: Number(process.exitCode ?? 0) }
}

test("a miner that is ready gives 0", async () => {
  expect(await health({ healthUrl: answering(200, "ready\n") })).toEqual({ said: "ready", code: 0 })
})

test("a miner that is not ready gives 1 and its reason", async () => {
  expect(await health({ healthUrl: answering(503, "connecting to 127.0.0.1:9833\n") })).toEqual({
    said: "connecting to 127.0.0.1:9833",
    code: 1,
  })
})

test("the metrics token is sent, so that the reason is shown", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ headers }) => {
      const isKnown = headers.get("authorization") === "Bearer secret"
      return new Response(isKnown ? "connecting to 127.0.0.1:9833\n" : "not ready\n", { status: 503 })
    },
  })
  servers.push(server)
  const variables = { MINER_METRICS_TOKEN_FILE: "/token", MINER_METRICS_PORT: String(server.port) }
  const { settings, monitoring } = await resolveConfig("health", [], variables, memoryFiles({ "/token": "secret\n" }))
  expect(await health(settings, monitoring)).toEqual({ said: "connecting to 127.0.0.1:9833", code: 1 })
  expect((await health(settings)).said).toBe("not ready")
})

test("another server's answer gives 1", async () => {
  const healthUrl = answering(404, "not found")
  expect(await health({ healthUrl })).toEqual({ said: `${healthUrl}-/ready answered 404`, code: 1 })
})

test("a miner that does not run gives 1", async () => {
  const healthUrl = answering(200, "ready")
  for (const server of servers.splice(0)) server.stop(true)
  expect(await health({ healthUrl })).toEqual({ said: `${healthUrl}-/ready cannot be reached`, code: 1 })
})

test("a miner that serves its metrics over TLS is asked without checking the names in its certificate", async () => {
  const tls = await createPem()
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response("ready") })
  servers.push(server)
  const settings = { metricsHost: "127.0.0.1", metricsPort: server.port!, metricsTlsCert: "/etc/miner.pem" }
  expect(await health(settings)).toEqual({ said: "ready", code: 0 })
  expect((await health({ healthUrl: server.url })).code).toBe(1)
})

test("a proxy in the environment is not used", async () => {
  process.env["http_proxy"] = "http://127.0.0.1:1"
  try {
    expect((await health({ healthUrl: answering(200, "ready") })).code).toBe(0)
  } finally {
    delete process.env["http_proxy"]
  }
})

test("the address follows from the settings of serve", () => {
  expect(localUrl({ metricsPort: 9900, metricsHost: "0.0.0.0" }).href).toBe("http://127.0.0.1:9900/")
  expect(localUrl({ metricsPort: 9900, metricsHost: "::" }).href).toBe("http://[::1]:9900/")
  expect(localUrl({ metricsPort: 9900, metricsHost: "192.0.2.7" }).href).toBe("http://192.0.2.7:9900/")
  const metricsTlsCert = "/etc/miner.pem"
  expect(localUrl({ metricsPort: 9900, metricsHost: "::", metricsTlsCert }).href).toBe("https://[::1]:9900/")
  expect(() => localUrl({ metricsPort: undefined, metricsHost: "127.0.0.1" })).toThrow("--metrics-port")
})
