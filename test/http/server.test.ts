import { afterEach, describe, expect, test } from "bun:test"
import { json, plain } from "../../src/http/answer.ts"
import { MAX_OPEN_REQUESTS } from "../../src/http/limits.ts"
import type { Route } from "../../src/http/router.ts"
import { type HttpServer, openServer, type ServerOptions } from "../../src/http/server.ts"
import { get, raw, statusOf, testOptions } from "./support.ts"

const open: HttpServer[] = []
afterEach(() => Promise.all(open.splice(0).map(server => server.close())))

function start(given: Partial<ServerOptions> = {}) {
  const { options, log, answers } = testOptions(given)
  const server = openServer(options)
  open.push(server)
  const url = `http://127.0.0.1:${server.port}`
  const ask = (text: string) => raw(server.port, text)
  return { server, log, answers, url, ask }
}

const echo: Route = { method: "POST", path: "/echo", readsBody: true, answer: ({ body }) => plain(200, body) }

describe("a request", () => {
  test("gets the answer of its route, and 404 for any other path", async () => {
    const { url, ask, answers } = start()
    expect(await (await fetch(`${url}/here?with=query`)).text()).toBe("found\n")
    for (const path of ["/", "/here/", "/HERE", "/../here%2f", "/constructor", "/__proto__", "//here"]) {
      expect([path, statusOf(await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`))]).toEqual([path, 404])
    }
    expect(answers[0]).toBe("/here 200")
    expect(new Set(answers.slice(1))).toEqual(new Set(["other 404"]))
  })

  test("with HEAD gets the headers without a body", async () => {
    const { url } = start()
    const response = await fetch(`${url}/here`, { method: "HEAD" })
    expect(response.headers.get("content-length")).toBe("6")
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8")
    expect(await response.text()).toBe("")
  })

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])("with %s is refused", async method => {
    const { ask, answers } = start()
    const answer = await ask(`${method} /here HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect(statusOf(answer)).toBe(405)
    expect(answer).toMatch(/^Allow: GET, HEAD\r$/im)
    expect(answers).toEqual(["/here 405"])
  })

  test.each([
    ["a long address", `GET /here?${"x".repeat(2000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, "other 414"],
    ["a body", "GET /here HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413, "/here 413"],
    ["a huge body", "GET /here HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n", 413, "/here 413"],
    ["a chunked body", "GET /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nh", 413, "/here 413"],
    ["CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, "other 400"],
  ])("with %s is refused and counted", async (_what, request, status, counted) => {
    const { ask, answers } = start()
    expect(statusOf(await ask(request))).toBe(status)
    expect(answers).toEqual([counted])
  })

  test.each([
    ["large headers", `GET /here HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["garbage", "GARBAGE\r\n\r\n", 400],
    ["HTTP/1.1 and no Host", "GET /here HTTP/1.1\r\n\r\n", 400],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["two lengths", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400],
  ])("with %s is refused by the runtime", async (_what, request, status) => {
    const { ask, answers, log } = start({ routes: [get("/here"), echo] })
    expect(statusOf(await ask(request))).toBe(status)
    expect(answers).toEqual([])
    expect(log.lines).toEqual([])
  })

  test("in absolute form is answered by its path, and the Host header decides", async () => {
    const { ask, answers } = start()
    expect(statusOf(await ask("GET http://evil.example/here HTTP/1.1\r\nHost: a\r\n\r\n"))).toBe(200)
    expect(statusOf(await ask("GET http://a/here HTTP/1.1\r\nHost: evil.example\r\n\r\n"))).toBe(421)
    expect(answers).toEqual(["/here 200", "other 421"])
  })

  test("is answered once per connection, even if several are sent", async () => {
    const { ask } = start()
    const answer = await ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50))
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1)
  })

  test("of HTTP/1.0 with a Host header is answered", async () => {
    const { ask } = start()
    expect(statusOf(await ask("GET /here HTTP/1.0\r\nHost: a\r\n\r\n"))).toBe(200)
  })
})

describe("a Host header", () => {
  test.each([
    ["absent in HTTP/1.0", "GET /here HTTP/1.0\r\n\r\n"],
    ["empty", "GET /here HTTP/1.1\r\nHost:\r\n\r\n"],
    ["with an open bracket", "GET /here HTTP/1.1\r\nHost: [::1\r\n\r\n"],
    ["with a blank", "GET /here HTTP/1.1\r\nHost: a b\r\n\r\n"],
    ["with a port out of range", "GET /here HTTP/1.1\r\nHost: a:99999999\r\n\r\n"],
    ["with credentials", "GET /here HTTP/1.1\r\nHost: user@a\r\n\r\n"],
    ["with a path", "GET /here HTTP/1.1\r\nHost: a/b\r\n\r\n"],
    ["sent twice", "GET /here HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
  ])("%s is answered with 400, counted and not logged", async (_what, request) => {
    const { ask, answers, log } = start({ token: () => "secret" })
    expect(statusOf(await ask(request))).toBe(400)
    expect(answers).toEqual(["other 400"])
    expect(log.lines).toEqual([])
  })

  test("of another machine is answered with 421 and counted, and logged once", async () => {
    const { ask, answers, log } = start()
    for (const host of ["evil.example", "evil.example:80", "a.evil.example"]) {
      expect(statusOf(await ask(`GET /here HTTP/1.1\r\nHost: ${host}\r\n\r\n`))).toBe(421)
    }
    expect(answers).toEqual(["other 421", "other 421", "other 421"])
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]?.level).toBe("warn")
    expect(log.lines[0]?.message).toContain("--metrics-allowed-hosts (MINER_METRICS_ALLOWED_HOSTS)")
    expect(log.lines[0]?.message).toContain("evil.example")
  })

  test("is not checked for a request with the token, and is for one with another", async () => {
    const { ask } = start({ token: () => "secret" })
    const request = (token: string) =>
      `GET /here HTTP/1.1\r\nHost: other.example\r\nAuthorization: Bearer ${token}\r\n\r\n`
    expect(statusOf(await ask(request("secret")))).toBe(200)
    expect(statusOf(await ask(request("guess")))).toBe(421)
  })

  test("is checked by a server without a token, whatever token the request carries", async () => {
    const { ask } = start()
    const request = "GET /here HTTP/1.1\r\nHost: other.example\r\nAuthorization: Bearer x\r\n\r\n"
    expect(statusOf(await ask(request))).toBe(421)
  })
})

describe("a token", () => {
  const routes = [get("/here"), { ...get("/open"), isOpen: true }]

  test("is required by every route that is not open", async () => {
    const { url, answers } = start({ routes, token: () => "correct horse" })
    const status = async (path: string, authorization?: string) =>
      (await fetch(url + path, authorization === undefined ? {} : { headers: { authorization } })).status
    expect(await status("/open")).toBe(200)
    expect(await status("/here", "Bearer correct horse")).toBe(200)
    expect(await status("/here", "bearer correct horse")).toBe(200)
    for (const wrong of [undefined, "", "Bearer", "Bearer battery", "Basic correct horse", "correct horse"]) {
      expect(await status("/here", wrong)).toBe(401)
    }
    expect(answers).toContain("/here 401")
    expect((await fetch(`${url}/here`)).headers.get("www-authenticate")).toBe("Bearer")
  })

  test("can change while the server runs", async () => {
    let token = "first"
    const { url } = start({ token: () => token })
    const status = async () => (await fetch(`${url}/here`, { headers: { authorization: "Bearer second" } })).status
    expect(await status()).toBe(401)
    token = "second"
    expect(await status()).toBe(200)
  })

  test("is required in the server by a route that demands it", async () => {
    const routes = [{ ...get("/here"), requiresToken: true }]
    expect((await fetch(`${start({ routes }).url}/here`)).status).toBe(403)
    const { url } = start({ routes, token: () => "secret" })
    expect((await fetch(`${url}/here`)).status).toBe(401)
    expect((await fetch(`${url}/here`, { headers: { authorization: "Bearer secret" } })).status).toBe(200)
  })
})

describe("a body", () => {
  test("reaches a route that reads it", async () => {
    const { url } = start({ routes: [echo] })
    expect(await (await fetch(`${url}/echo`, { method: "POST", body: "hello" })).text()).toBe("hello\n")
  })

  test("over the limit is answered with 413; counted if it is chunked", async () => {
    const { ask, answers, log } = start({ routes: [echo] })
    const head = "POST /echo HTTP/1.1\r\nHost: a\r\n"
    expect(statusOf(await ask(`${head}Content-Length: 5000\r\n\r\n`))).toBe(413)
    const chunk = `Transfer-Encoding: chunked\r\n\r\n1388\r\n${"x".repeat(5000)}\r\n0\r\n\r\n`
    expect(statusOf(await ask(head + chunk))).toBe(413)
    expect(answers).toEqual(["/echo 413"])
    expect(log.lines).toEqual([])
  })

  test("whose client disconnects is counted with 408 and not logged", async () => {
    const { server, answers, log } = start({ routes: [echo] })
    await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port,
      socket: {
        open: socket => void socket.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"),
        data() {},
      },
    }).then(async socket => {
      await Bun.sleep(20)
      socket.terminate()
    })
    while (answers.length === 0) await Bun.sleep(5)
    expect(answers).toEqual(["/echo 408"])
    expect(log.lines).toEqual([])
  })

  test("is waited for by a limited number of requests; others are answered with 503", async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let waiting = 0
    const slow = get("/slow", async () => {
      waiting += 1
      await promise
      return plain(200, "slow")
    })
    const { url, ask, answers } = start({ routes: [slow, get("/here")] })
    const request = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
    const pending = Array.from({ length: MAX_OPEN_REQUESTS }, () => ask(request))
    while (waiting < MAX_OPEN_REQUESTS) await Bun.sleep(5)
    expect((await fetch(`${url}/here`)).status).toBe(503)
    expect(answers).toEqual(["other 503"])
    resolve()
    await Promise.all(pending)
    expect((await fetch(`${url}/here`)).status).toBe(200)
  })
})

test("requests of web pages are refused if the server wishes it", async () => {
  const headers = { origin: "http://page.example" }
  expect((await fetch(`${start().url}/here`, { headers })).status).toBe(200)
  expect((await fetch(`${start({ refusesWebPages: true }).url}/here`, { headers })).status).toBe(403)
})

test("errors have the server's format, and keep their headers", async () => {
  const { url } = start({ error: (status, message) => json({ message }, status) })
  const response = await fetch(`${url}/here`, { method: "POST" })
  expect(response.headers.get("content-type")).toBe("application/json")
  expect(response.headers.get("allow")).toBe("GET, HEAD")
  expect(await response.json()).toEqual({ message: "use GET or HEAD" })
})

test("every answer has safe headers", async () => {
  const { url } = start()
  for (const path of ["/here", "/nowhere"]) {
    const { headers } = await fetch(url + path)
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("x-frame-options")).toBe("DENY")
    expect(headers.get("referrer-policy")).toBe("no-referrer")
    expect(headers.get("cache-control")).toBe("no-store")
    expect(headers.get("content-security-policy")).toStartWith("default-src 'none'")
    expect(headers.get("access-control-allow-origin")).toBeNull()
    expect(headers.get("connection")).toBe("close")
  }
})

test("a failing route is logged as an error and answered with 500 without details", async () => {
  const fail = () => {
    throw new Error("inner secret")
  }
  const { url, log, answers } = start({ routes: [get("/here", fail)] })
  const response = await fetch(`${url}/here`)
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain("inner secret")
  const { level, message = "" } = log.lines.at(-1) ?? {}
  expect(level).toBe("error")
  expect(message).toStartWith("/here failed: Error: inner secret")
  expect(answers).toEqual(["/here 500"])
})

test("close drops clients with unfinished requests", async () => {
  const { server, ask, url } = start()
  const slow = ask("GET /here HTTP/1.1\r\nX: ")
  await fetch(`${url}/here`)
  await server.close()
  expect(await slow).toBe("")
})
