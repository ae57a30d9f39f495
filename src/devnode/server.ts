/**
 * The QUIC server for miners: sessions that deliver received bytes and send given bytes. The development node and the
 * misbehaving nodes of tests are built on it.
 */
import { createPrivateKey } from "node:crypto"
import { isIPv6, SocketAddress } from "node:net"
import type { EndpointOptions, QuicSession, QuicStream, SessionOptions } from "node:quic"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import { ALPN, loadQuic } from "../sources/quic/node-quic.ts"
import { StreamWriter } from "../sources/quic/stream-writer.ts"
import type { CertificateAndKey } from "./certificate.ts"

/** A miner's connection, after its stream has been opened. */
export interface Peer {
  /** `ip:port` */
  readonly remote: string
  send(bytes: Uint8Array): void
  /** Sends on a separate stream, which no node does. */
  sendAside(bytes: Uint8Array): void
  /** Closes the connection in order; the miner receives no reason. */
  close(reason: string): void
}

export interface PeerListener {
  data(bytes: Uint8Array): void
  /** Once, last. */
  closed(): void
}

export interface ServerOptions {
  /** IP address to bind. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly identity: CertificateAndKey
  /** A protocol other than the miners', for tests. */
  readonly alpn?: string
}

export interface Server {
  readonly port: number
  close(): Promise<void>
}

/**
 * @param accept called for each connection whose miner has opened its stream
 * @throws OperatorError if the address cannot be bound
 */
export async function listenForMiners(options: ServerOptions, accept: (peer: Peer) => PeerListener): Promise<Server> {
  const { listen, QuicEndpoint } = await loadQuic()
  const sessions = new Set<QuicSession>()
  const endpoint = new QuicEndpoint(endpointOptions(options))
  endpoint.closed.catch(() => {})
  await listen(session => serve(session, sessions, accept), { ...listenOptions(options), endpoint })
  const port = endpoint.address?.port
  if (port === undefined) {
    endpoint.destroy()
    throw new OperatorError(
      `cannot listen on ${options.address} port ${options.port}: give another port, or stop the process that uses it`,
      ExitCode.config,
    )
  }
  host.ignoreUnreachablePeers(port)
  return {
    port,
    async close() {
      await Promise.allSettled([...sessions].map(session => Promise.race([session.close(), Bun.sleep(GOODBYE_MS)])))
      endpoint.destroy()
    },
  }
}

const GOODBYE_MS = 500
/** A miner that is silent for longer is dropped (protocol §1). */
const IDLE_SECONDS = 60
/** Maximum number of writes that wait for a miner that does not read. */
const MAX_UNREAD = 4096
/** The runtime's default for connections from one address is too low for tests. */
const MAX_SESSIONS = 1_000_000

function endpointOptions({ address, port }: ServerOptions): EndpointOptions {
  return {
    address: new SocketAddress({ address, port, family: isIPv6(address) ? "ipv6" : "ipv4" }),
    sessionCreationRate: MAX_SESSIONS,
    sessionCreationBurst: MAX_SESSIONS,
  }
}

function listenOptions({ identity, alpn = ALPN }: ServerOptions): SessionOptions {
  const key = createPrivateKey({ key: Buffer.from(identity.key), format: "der", type: "pkcs8" })
  return {
    alpn: [alpn],
    sni: { "*": { keys: [key], certs: [pemOf(identity.certificate)] } },
    transportParams: { initialMaxStreamsBidi: 1, initialMaxStreamsUni: 0, maxIdleTimeout: IDLE_SECONDS },
  }
}

function serve(session: QuicSession, sessions: Set<QuicSession>, accept: (peer: Peer) => PeerListener): void {
  sessions.add(session)
  session.onerror = () => {}
  session.opened.catch(() => {})
  const closed = session.closed.catch(() => {}).finally(() => sessions.delete(session))
  session.onstream = stream => {
    stream.closed.catch(() => {})
    const { address, port } = session.path?.remote ?? {}
    const close = (reason: string) => void session.close({ code: 0n, reason }).catch(() => {})
    const writer = new StreamWriter(stream, MAX_UNREAD, () => close("does not read"))
    const listener = accept({
      remote: `${address}:${port}`,
      send: bytes => writer.write(bytes),
      sendAside: bytes => void sendAside(session, bytes).catch(() => {}),
      close,
    })
    closed.then(() => listener.closed())
    read(stream, listener)
  }
}

async function sendAside(session: QuicSession, bytes: Uint8Array): Promise<void> {
  const stream = await session.createUnidirectionalStream()
  stream.closed.catch(() => {})
  stream.writer.writeSync(bytes)
}

async function read(stream: QuicStream, listener: PeerListener): Promise<void> {
  try {
    for await (const chunks of stream) for (const chunk of chunks) listener.data(chunk)
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith("ERR_QUIC")) throw error
  }
}

const pemOf = (der: Uint8Array): Uint8Array =>
  Buffer.from(`-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`)
