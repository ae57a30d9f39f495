/** A pool's byte stream over TCP or TLS, behind a function that tests replace. */
import net from "node:net"
import tls from "node:tls"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Credential } from "../credential.ts"
import { matchesPin } from "../pin.ts"
import type { DisconnectReason } from "../source.ts"

/** Why a connection ended or could not be opened. */
export interface Drop {
  readonly reason: DisconnectReason
  readonly message: string
  /** The connection was there, and nothing came over it. */
  readonly silent?: boolean
}

export interface SocketEvents {
  /** Connected; over TLS, the certificate has been verified. */
  open(): void
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
}

/** @param roots PEM certificates to trust instead of the system's */
export function connectTo(address: StratumAddress, roots?: readonly string[]): Connect {
  return events => {
    const pin = address.tls ? address.pin?.read() : undefined
    const socket = address.tls
      ? openTls(address, pin === undefined ? (roots ?? systemRoots()) : undefined)
      : net.connect(address.port, address.host)
    let failure: Drop | OperatorError = { reason: "closed", message: "the pool closed the connection" }
    let opened = false
    let connected = false
    let heard = false
    let silent = false
    const hint = () => (connected && !heard ? hintFor(address) : "")
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.once("connect", () => {
      connected = true
    })
    socket.once(address.tls ? "secureConnect" : "connect", () => {
      heard = address.tls
      if (pin === undefined || matchesPin((socket as tls.TLSSocket).getPeerCertificate().raw, pin)) {
        opened = true
        events.open()
      } else {
        failure = pinError(address)
        socket.destroy()
      }
    })
    socket.on("data", (chunk: Uint8Array) => {
      if (silent || socket.destroyed) return
      if (!heard && isTlsRecord(chunk)) {
        failure = { reason: "protocol", message: `the port speaks TLS: use ${urlOf(address, true)}` }
        socket.destroy()
      } else events.data(chunk)
      heard = true
    })
    socket.on("error", error => {
      failure = dropOf(error, address.tls)
      if (address.tls && !meansNoTls(error)) heard = true
    })
    socket.once("close", () => {
      if (silent) return
      events.closed(failure instanceof OperatorError ? failure : { ...failure, message: failure.message + hint() })
    })
    return {
      write: text => void socket.write(text),
      close() {
        silent = true
        if (opened) socket.destroySoon()
        else socket.destroy()
      },
      hint,
    }
  }
}

const urlOf = ({ host, port }: StratumAddress, secure: boolean): string =>
  `stratum+${secure ? "tls" : "tcp"}://${host.includes(":") ? `[${host}]` : host}:${port}`

const hintFor = (address: StratumAddress): string =>
  `; if the port ${address.tls ? "does not speak" : "speaks"} TLS, use ${urlOf(address, !address.tls)}`

/** Whether these are the first bytes of a TLS record (RFC 8446 §5.1): no JSON begins with its content types. */
const isTlsRecord = ([type = 0, major = 3]: Uint8Array): boolean => type >= 20 && type <= 23 && major === 3

/** Whether a failed handshake can be due to a peer that does not speak TLS: it sent something else, or closed. */
const meansNoTls = ({ code = "" }: Error & { code?: string }): boolean =>
  /WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|ECONNRESET/.test(code)

/** @param roots PEM certificates to trust; undefined: any certificate, its pin is checked afterwards */
function openTls({ host, port }: StratumAddress, roots: readonly string[] | undefined): tls.TLSSocket {
  return tls.connect({
    host,
    port,
    ...(roots && { ca: [...roots] }),
    ...(net.isIP(host) === 0 && { servername: host }),
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
