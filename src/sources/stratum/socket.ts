/** A pool's byte stream over TCP or TLS, behind a function that tests replace. */
import net from "node:net"
import tls from "node:tls"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Credential } from "../credential.ts"
import { matchesPin } from "../pin.ts"
import type { DisconnectReason } from "../source.ts"
import { type ProxyAddress, ProxyRefusal, Tunnel } from "./proxy.ts"

/** Why a connection ended or could not be opened. */
export interface Drop {
  readonly reason: DisconnectReason
  readonly message: string
  /** The connection was there, and nothing came over it. */
  readonly silent?: boolean
}

export interface SocketEvents {
  /** Connected; over TLS, the certificate has been verified. @param certificate DER; undefined without TLS */
  open(certificate?: Uint8Array): void
  data(chunk: Uint8Array): void
  /** Once, last. An `OperatorError` is permanent: another attempt would not help. */
  closed(end: Drop | OperatorError): void
}

export interface Socket {
  write(text: string): void
  /** Ends the connection; no event follows. */
  close(): void
  /** If TCP connected and the pool has sent nothing: the URL to try instead, as the end of a message; else empty. */
  hint?(): string
}

/** Starts to connect; events come after it has returned. @throws OperatorError if the pin cannot be read */
export type Connect = (events: SocketEvents) => Socket

export interface StratumAddress {
  readonly tls: boolean
  /** A name, an IPv4 or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /**
   * SHA-256 of the certificate's DER, 64 lower-case hex digits, read before each connection. If given, it alone decides,
   * so a self-signed certificate is accepted; if absent, the system's roots and the host name decide.
   */
  readonly pin?: Credential | undefined
  /** Reaches the pool through this proxy, which resolves its name. */
  readonly proxy?: ProxyAddress | undefined
}

/** @param roots PEM certificates to trust instead of the system's */
export function connectTo(address: StratumAddress, roots?: readonly string[]): Connect {
  return events => {
    const pin = address.tls ? address.pin?.read() : undefined
    return new PoolSocket(address, pin, pin === undefined ? (roots ?? systemRoots()) : undefined, events)
  }
}

/** Time for the handshake of a connection that only reads the certificate. */
const READ_CERTIFICATE_MS = 5000

/** Connects, whether or not the certificate is trusted, and ends. @returns undefined if no connection opens */
export async function readCertificate(address: StratumAddress): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
  const socket = new PoolSocket(address, undefined, undefined, {
    open: resolve,
    data() {},
    closed: () => resolve(undefined),
  })
  const timer = setTimeout(() => resolve(undefined), READ_CERTIFICATE_MS)
  const certificate = await promise
  clearTimeout(timer)
  socket.close()
  return certificate
}

class PoolSocket implements Socket {
  readonly #address: StratumAddress
  readonly #pin: string | undefined
  readonly #roots: readonly string[] | undefined
  readonly #events: SocketEvents
  #socket: net.Socket
  #failure: Drop | OperatorError = { reason: "closed", message: "the pool closed the connection" }
  /** The pool can be written to. */
  #opened = false
  /** TCP to the pool is connected. */
  #connected = false
  /** The pool has sent something, which excludes the wrong kind of connection. */
  #heard = false
  #silent = false

  /** @param roots PEM certificates to trust; undefined: any certificate, its pin is checked afterwards */
  constructor(
    address: StratumAddress,
    pin: string | undefined,
    roots: readonly string[] | undefined,
    events: SocketEvents,
  ) {
    this.#address = address
    this.#pin = pin
    this.#roots = roots
    this.#events = events
    const { tls: isTls, proxy, host, port } = address
    if (proxy) {
      this.#socket = net.connect(proxy.port, proxy.host)
      this.#tunnel(proxy)
    } else {
      this.#socket = isTls ? openTls(address, roots) : net.connect(port, host)
      this.#socket.once("connect", () => {
        this.#connected = true
      })
      this.#talk(isTls ? "secureConnect" : "connect")
    }
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  close(): void {
    this.#silent = true
    if (this.#opened) this.#socket.destroySoon()
    else this.#socket.destroy()
  }

  hint(): string {
    return this.#connected && !this.#heard ? hintFor(this.#address) : ""
  }

  /** Opens the tunnel, then TLS over it. */
  #tunnel(proxy: ProxyAddress): void {
    const socket = this.#socket
    const end = (error: Error & { code?: string }) => {
      const reason = error instanceof ProxyRefusal ? error.reason : dropOf(error, false).reason
      this.#failure = { reason, message: `the proxy ${proxyText(proxy)}: ${error.message}` }
    }
    this.#failure = { reason: "closed", message: `the proxy ${proxyText(proxy)} closed the connection` }
    let tunnel: Tunnel | undefined
    const take = (chunk: Uint8Array) => {
      try {
        const rest = tunnel!.push(chunk)
        if (rest === undefined) return
        socket.off("data", take)
        socket.off("error", end)
        socket.off("close", closed)
        this.#throughTunnel(rest)
      } catch (error) {
        if (!(error instanceof ProxyRefusal)) throw error
        end(error)
        socket.destroy()
      }
    }
    const closed = () => this.#closed()
    this.#tune()
    socket.once("connect", () => {
      tunnel = new Tunnel(proxy, this.#address, bytes => void socket.write(bytes))
    })
    socket.on("data", take)
    socket.on("error", end)
    socket.once("close", closed)
  }

  #throughTunnel(rest: Uint8Array): void {
    this.#connected = true
    this.#failure = { reason: "closed", message: "the pool closed the connection" }
    if (this.#address.tls) {
      // TLS reports the end of the connection; an error of the socket below it must not go unhandled.
      this.#socket.on("error", () => {})
      this.#socket = openTls(this.#address, this.#roots, this.#socket)
      this.#talk("secureConnect")
    } else {
      this.#talk(undefined)
      this.#open()
      if (rest.length > 0) this.#take(rest)
    }
  }

  #tune(): void {
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, 30_000)
  }

  /** @param opening the event after which the pool can be written to; undefined if it can be now */
  #talk(opening: "connect" | "secureConnect" | undefined): void {
    const socket = this.#socket
    const { tls: isTls } = this.#address
    this.#tune()
    if (opening) socket.once(opening, () => this.#open())
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk))
    socket.on("error", error => {
      this.#failure = dropOf(error, isTls)
      if (isTls && !meansNoTls(error)) this.#heard = true
    })
    socket.once("close", () => this.#closed())
  }

  #open(): void {
    const { tls: isTls } = this.#address
    this.#heard = isTls
    const certificate = isTls ? (this.#socket as tls.TLSSocket).getPeerCertificate().raw : undefined
    if (this.#pin === undefined || matchesPin(certificate!, this.#pin)) {
      this.#opened = true
      this.#events.open(certificate)
    } else {
      this.#failure = pinError(this.#address)
      this.#socket.destroy()
    }
  }

  #take(chunk: Uint8Array): void {
    if (this.#silent || this.#socket.destroyed) return
    if (!this.#heard && isTlsRecord(chunk)) {
      this.#failure = { reason: "protocol", message: `the port speaks TLS: use ${urlOf(this.#address, true)}` }
      this.#socket.destroy()
    } else this.#events.data(chunk)
    this.#heard = true
  }

  #closed(): void {
    if (this.#silent) return
    const failure = this.#failure
    this.#events.closed(
      failure instanceof OperatorError ? failure : { ...failure, message: failure.message + this.hint() },
    )
  }
}

/** Without its credentials. */
const proxyText = ({ protocol, host, port }: ProxyAddress): string =>
  `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`

const urlOf = ({ host, port }: StratumAddress, secure: boolean): string =>
  `stratum+${secure ? "tls" : "tcp"}://${host.includes(":") ? `[${host}]` : host}:${port}`

const hintFor = (address: StratumAddress): string =>
  `; if the port ${address.tls ? "does not speak" : "speaks"} TLS, use ${urlOf(address, !address.tls)}`

/** Whether these are the first bytes of a TLS record (RFC 8446 §5.1): no JSON begins with its content types. */
const isTlsRecord = ([type = 0, major = 3]: Uint8Array): boolean => type >= 20 && type <= 23 && major === 3

/** Whether a failed handshake can be due to a peer that does not speak TLS: it sent something else, or closed. */
const meansNoTls = ({ code = "" }: Error & { code?: string }): boolean =>
  /WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|ECONNRESET/.test(code)

/**
 * @param roots PEM certificates to trust; undefined: any certificate, its pin is checked afterwards
 * @param socket a connection to the pool; by default a new one is opened
 */
function openTls(
  { host, port }: StratumAddress,
  roots: readonly string[] | undefined,
  socket?: net.Socket,
): tls.TLSSocket {
  return tls.connect({
    ...(socket ? { socket } : { host, port }),
    ...(roots && { ca: [...roots] }),
    ...(net.isIP(host) === 0 ? { servername: host } : { host }),
    rejectUnauthorized: roots !== undefined,
  })
}

/** The machine's trust store, as its administrator maintains it; Mozilla's if it is empty. */
function systemRoots(): readonly string[] {
  const system = tls.getCACertificates("system")
  return system.length > 0 ? system : tls.rootCertificates
}

function pinError({ host, port, pin }: StratumAddress): OperatorError {
  return new OperatorError(
    `${host}:${port} presents a certificate other than the one pinned by ${pin!.description}: get its SHA-256 from the ` +
      "pool again; if it has not changed, do not trust this connection",
    ExitCode.rejected,
  )
}

const REASONS: Readonly<Record<string, DisconnectReason>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  ECONNRESET: "closed",
  ECONNABORTED: "closed",
  EPIPE: "closed",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
  ENODATA: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
}

function dropOf({ code = "", message }: Error & { code?: string }, secure: boolean): Drop {
  const reason = REASONS[code]
  if (reason || !secure) return { reason: reason ?? "unreachable", message }
  const hint = /CERT|ISSUER|SIGNATURE/.test(code) ? " (--tls-cert-sha256 trusts a certificate by its fingerprint)" : ""
  return { reason: "handshake", message: `TLS failed: ${message}${hint}` }
}
