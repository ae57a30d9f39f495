/**
 * QUIC with the runtime's `node:quic`. Three properties of Bun 1.4.5 determine this file: a close with code 0 and an
 * idle timeout both look like an orderly end; a refused datagram is not reported, so an absent node is silent; the
 * default endpoint is bound to loopback.
 */
import { isIPv6, SocketAddress } from "node:net"
import type { QuicEndpoint, QuicSession, QuicStream, SessionOptions } from "node:quic"
import { sendRefusal } from "./send-refusal.ts"
import { StreamWriter } from "./stream-writer.ts"
import type { PeerAddress, Session, SessionEnd, SessionEvents, Transport } from "./transport.ts"

/** The protocol's name in the TLS handshake; its number increases with every incompatible change. */
export const ALPN = "quantus-miner/2"

/**
 * Time without traffic before a ping. The node requires one in 60 s; with one per second, a node that vanishes is
 * noticed within two seconds.
 */
const PING_MS = 1000

/** Silence after which either side drops the connection. */
const IDLE_SECONDS = 15

/** Maximum duration of an orderly close. */
const GOODBYE_MS = 500

/** Maximum time between the end of the stream and that of the connection, which carries the reason. */
const LAST_WORDS_MS = 50

/** Maximum number of writes that wait for a node that does not read. */
const MAX_UNREAD = 256

type QuicModule = typeof import("node:quic")

/** Imports the module and suppresses its experimental warning; other warnings pass. */
export async function loadQuic(): Promise<QuicModule> {
  const emitWarning = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === "ExperimentalWarning" && String(warning).startsWith("quic ")) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return await import("node:quic")
  } finally {
    process.emitWarning = emitWarning
  }
}

export function createTransport(): Transport {
  return new NodeQuicTransport()
}

/** Sessions share one UDP socket per address family. */
class NodeQuicTransport implements Transport {
  readonly #endpoints = new Map<"ipv4" | "ipv6", QuicEndpoint>()

  connect(address: PeerAddress, events: SessionEvents): Session {
    return new NodeQuicSession(() => this.#open(address), events)
  }

  sendRefusal(address: PeerAddress): Promise<string | undefined> {
    return sendRefusal(address)
  }

  async close(): Promise<void> {
    for (const endpoint of this.#endpoints.values()) {
      endpoint.closed.catch(() => {})
      endpoint.destroy()
    }
    this.#endpoints.clear()
  }

  async #open({ ip, port }: PeerAddress): Promise<QuicSession> {
    const quic = await loadQuic()
    const family = isIPv6(ip) ? "ipv6" : "ipv4"
    return await quic.connect(new SocketAddress({ address: ip, port, family }), {
      ...clientOptions,
      endpoint: this.#endpoint(quic, family),
    })
  }

  #endpoint({ QuicEndpoint }: QuicModule, family: "ipv4" | "ipv6"): QuicEndpoint {
    const known = this.#endpoints.get(family)
    if (known && !known.destroyed) return known
    const everywhere = new SocketAddress({ address: family === "ipv6" ? "::" : "0.0.0.0", family })
    const endpoint = new QuicEndpoint({ address: everywhere })
    this.#endpoints.set(family, endpoint)
    return endpoint
  }
}

/** `verifyPeer: "manual"`: the certificate is self-signed and trusted by its pin, which the source checks. */
const clientOptions: SessionOptions & { keepAlive: number } = {
  alpn: ALPN,
  servername: "localhost",
  verifyPeer: "manual",
  keepAlive: PING_MS,
  transportParams: { maxIdleTimeout: IDLE_SECONDS },
}

function refuse(stream: QuicStream): void {
  stream.closed.catch(() => {})
  stream.destroy()
}

class NodeQuicSession implements Session {
  readonly #events: SessionEvents
  #session: QuicSession | undefined
  #writer: StreamWriter | undefined
  #over = false

  constructor(open: () => Promise<QuicSession>, events: SessionEvents) {
    this.#events = events
    this.#run(open).catch(error => this.#end(endOf(error)))
  }

  get bytesReceived(): bigint {
    return this.#session?.stats.bytesReceived ?? 0n
  }

  send(bytes: Uint8Array): void {
    if (!this.#over) this.#writer?.write(bytes)
  }

  async close(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#writer?.end()
    if (this.#session) await goodbye(this.#session)
  }

  async #run(open: () => Promise<QuicSession>): Promise<void> {
    const session = await open()
    this.#session = session
    session.onerror = () => {}
    // Only the miner's stream is used; data on others would accumulate, and the runtime would warn of each stream.
    session.onstream = refuse
    session.opened.catch(() => {})
    const closed = session.closed.then(() => orderlyEnd, endOf)
    if (this.#over) {
      await goodbye(session)
      return
    }
    await session.opened
    const certificate = session.peerCertificate?.raw
    if (!certificate) throw new Error("the node showed no certificate")
    const stream = await session.createBidirectionalStream()
    stream.closed.catch(() => {})
    if (this.#over) return
    this.#writer = new StreamWriter(stream, MAX_UNREAD, () => this.#end(deafEnd))
    closed.then(end => this.#end(end))
    this.#deliver(() => this.#events.opened(certificate))
    let end = orderlyEnd
    try {
      for await (const chunks of stream) this.#deliver(() => this.#events.data(chunks))
    } catch (error) {
      end = endOf(error)
    }
    await Promise.race([closed, Bun.sleep(LAST_WORDS_MS)])
    this.#end(end)
  }

  /** An error in a listener is a bug, not a failure of the connection, so it is thrown outside the stream's loop. */
  #deliver(event: () => void): void {
    if (this.#over) return
    try {
      event()
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #end(end: SessionEnd): void {
    if (this.#over) return
    this.#over = true
    this.#destroy()
    this.#events.closed(end)
  }

  #destroy(): void {
    if (this.#session && !this.#session.destroyed) this.#session.destroy()
  }
}

async function goodbye(session: QuicSession): Promise<void> {
  await Promise.race([session.close().catch(() => {}), Bun.sleep(GOODBYE_MS)])
  if (!session.destroyed) session.destroy()
}

const orderlyEnd: SessionEnd = { reason: "closed", message: "the node closed the connection" }

const deafEnd: SessionEnd = { reason: "protocol", message: "the node has stopped reading" }

/** Error codes of QUIC (RFC 9000 §20.1): CONNECTION_REFUSED, and TLS alerts from 0x100 on. */
const CONNECTION_REFUSED = 0x2n
const TLS_ALERTS = 0x100n
const NO_APPLICATION_PROTOCOL = TLS_ALERTS + 120n

function endOf(error: unknown): SessionEnd {
  const { code, errorCode, reason, message } = error as Error & {
    code?: string
    errorCode?: bigint
    reason?: string
  }
  const said = reason ? `: ${reason.replace(/[^\x20-\x7e]/g, "?").slice(0, 80)}` : ""
  if (code === "ERR_QUIC_APPLICATION_ERROR") {
    return { reason: "closed", message: `the node closed the connection with code ${errorCode}${said}` }
  }
  if (code === "ERR_QUIC_TRANSPORT_ERROR" && errorCode !== undefined) return transportEnd(errorCode, said)
  if (code?.startsWith("E") && !code.startsWith("ERR_")) return { reason: "unreachable", message }
  return { reason: "closed", message: `the connection broke: ${message}` }
}

function transportEnd(code: bigint, said: string): SessionEnd {
  if (code === CONNECTION_REFUSED) return { reason: "refused", message: `the node refuses connections${said}` }
  if (code === NO_APPLICATION_PROTOCOL) {
    return {
      reason: "handshake",
      message: `the node does not speak ${ALPN}: node and miner are of different generations, update the older one`,
    }
  }
  if (code >= TLS_ALERTS && code < TLS_ALERTS * 2n) {
    return { reason: "handshake", message: `the handshake failed with TLS alert ${code - TLS_ALERTS}${said}` }
  }
  return { reason: "closed", message: `the connection broke with QUIC error ${code}${said}` }
}
