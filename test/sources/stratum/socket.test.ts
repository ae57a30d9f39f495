import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { createCertificate } from "../../../src/devnode/certificate.ts"
import { type DevPool, type PoolEvent, startPool } from "../../../src/devnode/pool.ts"
import { ExitCode } from "../../../src/errors.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import { connectTo, type StratumAddress } from "../../../src/sources/stratum/socket.ts"
import { createStratumSource } from "../../../src/sources/stratum/stratum-source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { type ProxyOptions, type StandInProxy, startProxy } from "../../support/stand-in-proxy.ts"
import { Recorder, sealOf } from "../recorder.ts"

/** Real sockets on loopback, against the development pool. */
const pools: DevPool[] = []
let logins = 0
let plain: DevPool
let secure: DevPool
let certificate: string
let pin: string
let source: JobSource | undefined

const pem = (label: string, der: Uint8Array) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`

async function open(identity?: { certificate: string; key: string }): Promise<DevPool> {
  const tls = identity && { tls: identity }
  const onEvent = ({ type }: PoolEvent) => {
    if (type === "connected") logins++
  }
  const options = { address: "127.0.0.1", port: 0, difficulty: 1n, intervalMs: 0, clock: new FakeClock(), onEvent }
  const pool = await startPool({ ...options, ...tls })
  pools.push(pool)
  return pool
}

beforeAll(async () => {
  const made = await createCertificate(new Date())
  certificate = pem("CERTIFICATE", made.certificate)
  pin = createHash("sha256").update(made.certificate).digest("hex")
  plain = await open()
  secure = await open({ certificate, key: pem("PRIVATE KEY", made.key) })
})
afterEach(() => source?.close())
afterAll(async () => {
  for (const pool of pools) await pool.close()
})

function start(address: Partial<StratumAddress>, roots?: readonly string[], clock = new FakeClock()): Recorder {
  const full = { tls: true, host: "localhost", port: secure.port, ...address }
  source = createStratumSource({
    name: `stratum+${full.tls ? "tls" : "tcp"}://${full.host}:${full.port}`,
    connect: connectTo(full, roots),
    credentials: () => ({ login: "qzTest.rig", password: "x", agent: "quantus-miner/test" }),
    clock,
    log: collectLog(),
  })
  const events = new Recorder()
  source.start(events)
  return events
}

const pinned = (value: string) => ({ description: "the pin of the test", read: () => value })

async function expectShareAccepted(events: Recorder): Promise<void> {
  const job = await events.nextJob()
  expect(await source!.submit(sealOf(job))).toEqual({ result: "accepted" })
  expect(await source!.submit(sealOf(job))).toEqual({ result: "rejected", reason: "Duplicate share" })
}

describe("over TCP", () => {
  test("a share is accepted", async () => {
    await expectShareAccepted(start({ tls: false, port: plain.port }))
  })

  test("a closed port is a refusal", async () => {
    const pool = await open()
    await pool.close()
    const { reason, message } = await start({ tls: false, port: pool.port }).next("disconnected")
    expect(reason).toBe("refused")
    expect(message).toContain(`127.0.0.1:${pool.port}`)
  })
})

describe("over TLS", () => {
  test("a certificate of a trusted root for this name is accepted", async () => {
    await expectShareAccepted(start({}, [certificate]))
  })

  test("a certificate of an unknown root is rejected", async () => {
    const { reason, message } = await start({}).next("disconnected")
    expect(reason).toBe("handshake")
    expect(message).toContain("--tls-cert-sha256")
  })

  test("a certificate for another name is rejected", async () => {
    const { reason, message } = await start({ host: "127.0.0.1" }, [certificate]).next("disconnected")
    expect(reason).toBe("handshake")
    expect(message).toContain("127.0.0.1")
  })

  test("the pinned certificate is accepted regardless of its issuer", async () => {
    await expectShareAccepted(start({ host: "127.0.0.1", pin: pinned(pin) }))
  })

  test("a certificate other than the pinned one ends the source before the login is sent", async () => {
    const before = logins
    const { error } = await start({ pin: pinned("0".repeat(64)) }, [certificate]).next("failed")
    expect(error.exitCode).toBe(ExitCode.rejected)
    expect(error.message).toContain("the pin of the test")
    expect(logins).toBe(before)
  })

  test("a certificate that is refused gets no hint at a URL without TLS", async () => {
    const { message } = await start({}).next("disconnected")
    expect(message).not.toContain("stratum+tcp")
  })
})

describe("a URL that does not fit its port", () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** A server without TLS that does this with the first bytes of a connection. */
  async function serve(answer: (socket: Socket) => void): Promise<number> {
    const server = createServer(socket => {
      socket.on("error", () => {})
      socket.once("data", () => answer(socket))
    })
    servers.push(server.listen(0, "127.0.0.1"))
    await once(server, "listening")
    return (server.address() as AddressInfo).port
  }

  const behaviours: [string, (socket: Socket) => void][] = [
    ["answers in text", socket => socket.write('{"id":null,"error":"malformed"}\n')],
    ["answers like a web server", socket => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["closes", socket => socket.end()],
    ["resets", socket => socket.resetAndDestroy()],
  ]

  test.each(behaviours)("with TLS, and the pool %s: the one without is named", async (_, answer) => {
    const port = await serve(answer)
    const { message } = await start({ host: "127.0.0.1", port }).next("disconnected")
    expect(message).toEndWith(`; if the port does not speak TLS, use stratum+tcp://127.0.0.1:${port}`)
  })

  test("with TLS, and the development pool without", async () => {
    const { message } = await start({ port: plain.port }).next("disconnected")
    expect(message).toEndWith(`; if the port does not speak TLS, use stratum+tcp://localhost:${plain.port}`)
  })

  test.each([true, false])("that nothing answers within 15 s (TLS: %p)", async tls => {
    const asked = Promise.withResolvers<void>()
    const port = await serve(() => asked.resolve())
    const clock = new FakeClock()
    const events = start({ host: "127.0.0.1", port, tls }, undefined, clock)
    await asked.promise
    await clock.advance(15_000)
    const { message } = await events.next("disconnected")
    const [verb, scheme] = tls ? ["does not speak", "tcp"] : ["speaks", "tls"]
    expect(message).toBe(`no login within 15 s; if the port ${verb} TLS, use stratum+${scheme}://127.0.0.1:${port}`)
  })

  test("without TLS, and the pool answers in TLS: the one with it is named", async () => {
    const { reason, message } = await start({ tls: false, host: "127.0.0.1", port: secure.port }).next("disconnected")
    expect([reason, message]).toEqual(["protocol", `the port speaks TLS: use stratum+tls://127.0.0.1:${secure.port}`])
  })

  test("without TLS, and the pool closes without a byte", async () => {
    const port = await serve(socket => socket.end())
    const { message } = await start({ tls: false, host: "127.0.0.1", port }).next("disconnected")
    expect(message).toEndWith(`; if the port speaks TLS, use stratum+tls://127.0.0.1:${port}`)
  })

  test("gets no hint once the pool has spoken, or if nothing listens", async () => {
    const port = await serve(socket => socket.end('{"id":1,"error":{"message":"maintenance"}}\n'))
    expect((await start({ tls: false, host: "127.0.0.1", port }).next("disconnected")).message).not.toContain("TLS")
    await source!.close()
    const pool = await open()
    await pool.close()
    for (const tls of [false, true]) {
      const { message } = await start({ tls, host: "127.0.0.1", port: pool.port }).next("disconnected")
      expect(message).not.toContain("if the port")
      await source!.close()
    }
  })
})

describe.each(["socks5", "http"] as const)("through a proxy: %s", protocol => {
  let proxy: StandInProxy
  const through = async (options: ProxyOptions = {}, credentials?: { username: string; password: string }) => {
    proxy = await startProxy(options)
    return { protocol, host: "127.0.0.1", port: proxy.port, ...credentials }
  }
  afterEach(() => proxy.close())

  test("a share is accepted, and the proxy resolves the name", async () => {
    const address = { tls: false, host: "pool.invalid", port: plain.port, proxy: await through({ piece: 1 }) }
    await expectShareAccepted(start(address))
    expect(proxy.requests).toEqual([`pool.invalid:${plain.port}`])
  })

  test("TLS is the pool's, by name", async () => {
    await expectShareAccepted(start({ proxy: await through() }, [certificate]))
    expect(proxy.requests).toEqual([`localhost:${secure.port}`])
  })

  test("TLS is the pool's, by its pin", async () => {
    await expectShareAccepted(start({ host: "127.0.0.1", pin: pinned(pin), proxy: await through({ piece: 1 }) }))
  })

  test("credentials are sent to the proxy, and appear in no message", async () => {
    const credentials = { username: "me", password: "proxy-secret" }
    const right = await through({ credentials: "me:proxy-secret" }, credentials)
    await expectShareAccepted(start({ tls: false, port: plain.port, proxy: right }))
    await source!.close()
    const events = start({ tls: false, port: plain.port, proxy: { ...right, password: "other-secret" } })
    const { reason, message } = await events.next("disconnected")
    expect(reason).toBe("refused")
    expect(message).toStartWith(
      `the proxy ${protocol}://127.0.0.1:${proxy.port}: it does not accept the credentials of --proxy`,
    )
    expect(message).not.toContain("secret")
  })

  test("a refusal is a loss with the proxy's reason", async () => {
    const address = { tls: false, port: plain.port, proxy: await through({ refuse: protocol === "http" ? 502 : 5 }) }
    const { message } = await start(address).next("disconnected")
    expect(message).toBe(
      `the proxy ${protocol}://127.0.0.1:${proxy.port}: ${protocol === "http" ? "it answered 502 No" : "the connection was refused"}`,
    )
  })

  test("a proxy that cannot be reached, and an invalid port, are named", async () => {
    const address = await through({ babble: "SSH-2.0-OpenSSH_9.6\r\n\r\n" })
    const babbling = await start({ tls: false, port: plain.port, proxy: address }).next("disconnected")
    expect(babbling.message).toContain(`the proxy ${protocol}://127.0.0.1:${proxy.port}: its answer is not `)
    await source!.close()
    proxy.close()
    const absent = await start({ tls: false, port: plain.port, proxy: address }).next("disconnected")
    expect(absent.message).toStartWith(`the proxy ${protocol}://127.0.0.1:${proxy.port}: `)
    expect(absent.reason).toBe("refused")
  })
})
