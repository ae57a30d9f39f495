import { afterEach, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { type HttpServer, plain, type Route, serveHttp } from "../../src/observe/http.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"

const open: HttpServer[] = []
afterEach(() => Promise.all(open.splice(0).map(server => server.close())))

async function start(routes: Record<string, Route> = { "/here": () => plain(200, "found") }, port = 0) {
  const log = collectLog()
  const clock = new FakeClock()
  const answers: string[] = []
  const answered = (endpoint: string, code: number) => answers.push(`${endpoint} ${code}`)
  const options = { host: "127.0.0.1", port, routes: new Map(Object.entries(routes)), clock, log, answered }
  const server = await serveHttp(options)
  open.push(server)
  return { server, log, clock, answers, url: `http://127.0.0.1:${server.port}` }
}

/** Sends raw bytes. @returns everything received until the server closes the connection */
function raw(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    socket.on("data", data => {
      answer += data
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(answer))
  })
}

const statusOf = (answer: string) => Number(answer.match(/^HTTP\/1\.1 (\d+)/)?.[1])

describe("requests", () => {
  test("get the answer of their route, and 404 for any other path", async () => {
    const { url, answers } = await start()
    expect(await (await fetch(`${url}/here?with=query`)).text()).toBe("found\n")
    for (const path of ["/", "/here/", "/HERE", "/../here%2f", "/constructor", "/__proto__"]) {
      expect((await fetch(url + path)).status).toBe(404)
    }
    expect(answers[0]).toBe("/here 200")
    expect(new Set(answers.slice(1))).toEqual(new Set(["other 404"]))
  })

  test("HEAD returns the headers without a body", async () => {
    const { url } = await start()
    const response = await fetch(`${url}/here`, { method: "HEAD" })
    expect(response.headers.get("content-length")).toBe("6")
    expect(await response.text()).toBe("")
  })

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])("%s is refused", async method => {
    const { server } = await start()
    const answer = await raw(server.port!, `${method} /here HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect(statusOf(answer)).toBe(405)
    expect(answer).toMatch(/^Allow: GET, HEAD\r$/im)
  })

  test.each([
    ["absolute form", "GET http://evil.example/here HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400],
    ["absolute form with another host", "GET http://evil.example/here HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a long address", `GET /here?${"x".repeat(2000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ["large headers", `GET /here HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a body", "GET /here HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413],
    ["a body announced as huge", "GET /here HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n", 413],
    ["a chunked body", "GET /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nhello", 413],
    ["garbage", "GARBAGE\r\n\r\n", 400],
  ])("with %s are refused", async (_what, request, status) => {
    const { server, answers } = await start({ "/here": () => plain(200, "found") })
    expect(statusOf(await raw(server.port!, request))).toBe(status)
    expect(answers).not.toContain("/here 200")
  })

  test("CONNECT is dropped", async () => {
    const { server } = await start()
    expect(await raw(server.port!, "CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n")).not.toContain(
      "200",
    )
  })

  test("are answered once per connection, also if several are sent", async () => {
    const { server } = await start()
    const answer = await raw(server.port!, "GET /here HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50))
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1)
  })
})

test("every answer has safe headers", async () => {
  const { url } = await start()
  for (const path of ["/here", "/nowhere"]) {
    const { headers } = await fetch(url + path)
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("x-frame-options")).toBe("DENY")
    expect(headers.get("referrer-policy")).toBe("no-referrer")
    expect(headers.get("cache-control")).toBe("no-store")
    expect(headers.get("content-security-policy")).toStartWith("default-src 'none'")
    expect(headers.get("access-control-allow-origin")).toBeNull()
  }
})

test("a failing route is logged as an error and answered with 500 without details", async () => {
  const { url, log } = await start({
    "/here": () => {
      throw new Error("inner secret")
    },
  })
  const response = await fetch(`${url}/here`)
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain("inner secret")
  const { level, message = "" } = log.lines.at(-1) ?? {}
  expect(level).toBe("error")
  expect(message).toStartWith("/here failed: Error: inner secret")
})

describe("a port in use", () => {
  test("is logged as an error and retried every 30 s until it is free", async () => {
    const first = await start()
    const port = first.server.port!
    const second = await start({ "/here": () => plain(200, "second") }, port)
    expect(second.server.port).toBeUndefined()
    const message = `cannot serve on 127.0.0.1 port ${port}: the port is in use; mining continues, next attempt in 30 s`
    const line = { level: "error", message } as const
    expect(second.log.lines).toEqual([line])
    await second.clock.advance(30_000)
    await until(() => second.log.lines.length === 2)
    expect(second.log.lines[1]).toEqual(line)

    await first.server.close()
    await second.clock.advance(30_000)
    await until(() => second.server.port !== undefined)
    expect(second.log.lines[2]?.message).toBe(`serving http://127.0.0.1:${port}/ and /metrics`)
    expect(await (await fetch(`http://127.0.0.1:${port}/here`)).text()).toBe("second\n")
  })

  test("is not retried after close", async () => {
    const first = await start()
    const second = await start({}, first.server.port!)
    await second.server.close()
    expect(second.clock.pending).toBe(0)
  })
})

test("close drops clients with unfinished requests and frees the port", async () => {
  const { server } = await start()
  const slow = raw(server.port!, "GET /here HTTP/1.1\r\nX: ")
  await fetch(`http://127.0.0.1:${server.port}/here`)
  await server.close()
  expect(await slow).toBe("")
  expect(server.port).toBeUndefined()
})

/** Yields to the event loop until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
