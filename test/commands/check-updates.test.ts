import { afterEach, expect, test } from "bun:test"
import { checkUpdates, newestIn } from "../../src/commands/check-updates.ts"
import { collectLog } from "../support/collect-log.ts"
import { createPem } from "../support/pem.ts"

const servers: Bun.Server<undefined>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true)
})

async function linesFor(body: string, status = 200): Promise<string[]> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(body, { status }) })
  servers.push(server)
  const log = collectLog()
  await checkUpdates(new URL("/latest?token=secret", server.url), log, "0.2.0")
  return log.lines.map(({ message }) => message)
}

test("a newer release is named in one line, without the address's query", async () => {
  const [line, ...others] = await linesFor('{"tag_name":"v0.3.1"}')
  expect(line).toMatch(/^version 0\.3\.1 is available, this is 0\.2\.0: see http:\/\/127\.0\.0\.1:\d+\/latest$/)
  expect(others).toEqual([])
})

test.each(["0.2.0", "0.1.9", "nothing", "0.3.0-beta", ""])("%p is no reason for a line", async body => {
  expect(await linesFor(body)).toEqual([])
})

test("a failure is silent", async () => {
  expect(await linesFor('{"tag_name":"v9.0.0"}', 500)).toEqual([])
  const log = collectLog()
  await checkUpdates(new URL("http://127.0.0.1:1/"), log, "0.2.0")
  expect(log.lines).toEqual([])
})

test("a page with a certificate that nobody vouches for is no reason for a line, whatever the environment says", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: await createPem(),
    fetch: () => new Response("9.0.0"),
  })
  servers.push(server)
  const variable = "NODE_TLS_REJECT_UNAUTHORIZED"
  const before = process.env[variable]
  process.env[variable] = "0"
  try {
    const log = collectLog()
    await checkUpdates(new URL(`https://127.0.0.1:${server.port}/`), log, "0.2.0")
    expect(log.lines).toEqual([])
  } finally {
    if (before === undefined) delete process.env[variable]
    else process.env[variable] = before
  }
})

test("of several versions the highest counts", () => {
  expect(newestIn("releases: v0.9.0, v0.10.0, 0.2.5 and 0.11.0-rc.1")).toBe("0.10.0")
})
