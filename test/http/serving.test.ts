import { afterEach, describe, expect, test } from "bun:test"
import { plain } from "../../src/http/answer.ts"
import type { ServerOptions } from "../../src/http/server.ts"
import { keepServing, type Serving } from "../../src/http/serving.ts"
import { FakeClock } from "../support/fake-clock.ts"
import { get, raw, testOptions } from "./support.ts"

const open: Serving[] = []
afterEach(() => Promise.all(open.splice(0).map(server => server.close())))

function start(given: Partial<ServerOptions> = {}) {
  const { options, log } = testOptions(given)
  const clock = new FakeClock()
  const serving = keepServing(
    () => options,
    clock,
    log,
    port => log.info(`opened ${port}`),
  )
  open.push(serving)
  return { serving, log, clock }
}

describe("a port in use", () => {
  test("is logged as an error and retried every 30 s until it is free", async () => {
    const first = start()
    const port = first.serving.port!
    const second = start({ routes: [get("/here", () => plain(200, "second"))], port })
    expect(second.serving.port).toBeUndefined()
    const message = `cannot serve on 127.0.0.1 port ${port}: the port is in use; mining continues, next attempt in 30 s`
    const line = { level: "error", message } as const
    expect(second.log.lines).toEqual([line])
    await second.clock.advance(30_000)
    expect(second.log.lines).toEqual([line, line])

    await first.serving.close()
    await second.clock.advance(30_000)
    expect(second.serving.port).toBe(port)
    expect(second.log.lines[2]?.message).toBe(`opened ${port}`)
    expect(await (await fetch(`http://127.0.0.1:${port}/here`)).text()).toBe("second\n")
  })

  test("is not retried after close", async () => {
    const first = start()
    const second = start({ port: first.serving.port! })
    await second.serving.close()
    expect(second.clock.pending).toBe(0)
  })
})

test("an address of another machine is named as such", () => {
  const { log } = start({ host: "192.0.2.1" })
  expect(log.lines[0]?.message).toContain("the address does not belong to this machine")
})

test("close drops clients with unfinished requests and frees the port", async () => {
  const { serving } = start()
  const slow = raw(serving.port!, "GET /here HTTP/1.1\r\nX: ")
  await fetch(`http://127.0.0.1:${serving.port}/here`)
  await serving.close()
  expect(await slow).toBe("")
  expect(serving.port).toBeUndefined()
})

test("reopening serves with the options of the moment", async () => {
  const { options, log } = testOptions()
  let word = "first"
  const serving = keepServing(
    () => ({ ...options, routes: [get("/here", () => plain(200, word))] }),
    new FakeClock(),
    log,
    () => {},
  )
  open.push(serving)
  word = "second"
  await serving.reopen()
  expect(await (await fetch(`http://127.0.0.1:${serving.port}/here`)).text()).toBe("second\n")
})
