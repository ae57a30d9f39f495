/** The real transport, over loopback. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { createIdentity, type Identity } from "../../../src/devnode/identity.ts"
import { listenForMiners, type Peer, type Server, type ServerOptions } from "../../../src/devnode/server.ts"
import { createTransport } from "../../../src/sources/quic/node-quic.ts"
import type { Session, SessionEnd } from "../../../src/sources/quic/transport.ts"

let identity: Identity
const transport = createTransport()
const servers: Server[] = []

beforeAll(async () => {
  identity = await createIdentity()
})

afterAll(async () => {
  await transport.close()
  await Promise.all(servers.map(server => server.close()))
})

/** A server and a client's connection to it; both count what they receive, and the first byte opens the stream. */
async function meet(options: Partial<ServerOptions> = {}) {
  const received = { byServer: 0, byClient: 0 }
  const waiting = new Set<() => void>()
  const changed = () => {
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const until = async (condition: () => unknown) => {
    while (!condition()) await new Promise<void>(resolve => waiting.add(resolve))
  }
  let [peer, end, certificate]: [Peer?, SessionEnd?, Uint8Array?] = []
  let serverEnded = false
  const server = await listenForMiners({ address: "127.0.0.1", port: 0, identity, ...options }, accepted => {
    peer = accepted
    changed()
    return {
      data(bytes) {
        received.byServer += bytes.length
        changed()
      },
      closed() {
        serverEnded = true
        changed()
      },
    }
  })
  servers.push(server)
  const session: Session = transport.connect(
    { ip: options.address ?? "127.0.0.1", port: server.port },
    {
      opened(der) {
        certificate = der
        session.send(new Uint8Array(1))
        changed()
      },
      data(chunks) {
        for (const chunk of chunks) received.byClient += chunk.length
        changed()
      },
      closed(why) {
        end = why
        changed()
      },
    },
  )
  await until(() => peer || end)
  return { session, peer: peer!, received, certificate, until, end: () => end, serverEnded: () => serverEnded }
}

describe("a session", () => {
  test("delivers the certificate, and bytes in both directions beyond the size of its buffers", async () => {
    const { session, peer, received, certificate, until } = await meet()
    expect(Buffer.from(certificate!).equals(identity.certificate)).toBe(true)
    for (let i = 0; i < 2000; i++) {
      peer.send(new Uint8Array(200))
      if (i < 500) session.send(new Uint8Array(200))
    }
    await until(() => received.byClient === 400_000 && received.byServer === 100_001)
    expect(session.bytesReceived).toBeGreaterThan(400_000n)
    await session.close()
  })

  test("works over IPv6", async () => {
    const { session, received, peer, until } = await meet({ address: "::1" })
    peer.send(new Uint8Array(7))
    await until(() => received.byClient === 7)
    await session.close()
  })

  test("ends with the server's reason", async () => {
    const { peer, until, end } = await meet()
    peer.close("auth failed")
    await until(end)
    expect(end()).toEqual({ reason: "closed", message: "the node closed the connection" })
  })

  test("closes after all data has been sent", async () => {
    const { session, received, until, serverEnded } = await meet()
    session.send(new Uint8Array(5000))
    await session.close()
    await until(serverEnded)
    expect(received.byServer).toBe(5001)
  })

  test("that is closed during the handshake tells the node, which would keep its place otherwise", async () => {
    const node = createSocket("udp4")
    node.bind(0, "127.0.0.1")
    await once(node, "listening")
    const hello = once(node, "message")
    const session = transport.connect(
      { ip: "127.0.0.1", port: node.address().port },
      { opened() {}, data() {}, closed() {} },
    )
    await hello
    const goodbye = once(node, "message")
    await session.close()
    await goodbye
    node.close()
  })

  test("of another protocol fails at the handshake, with an explanation", async () => {
    const { end } = await meet({ alpn: "quantus-miner/1" })
    expect(end()!.reason).toBe("handshake")
    expect(end()!.message).toContain("the node does not speak quantus-miner/2")
  })
})

test("the runtime's experimental warning is suppressed, other warnings are not", () => {
  const script = `
    const { loadQuic } = await import("./src/sources/quic/node-quic.ts")
    await loadQuic()
    process.emitWarning("something else", "ExperimentalWarning")
  `
  const { stderr } = Bun.spawnSync([process.execPath, "-e", script], { cwd: `${import.meta.dir}/../../..` })
  expect(stderr.toString()).toContain("something else")
  expect(stderr.toString()).not.toContain("quic is an experimental feature")
})
