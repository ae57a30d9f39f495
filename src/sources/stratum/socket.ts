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
    let silent = false
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.once(address.tls ? "secureConnect" : "connect", () => {
      if (pin === undefined || matchesPin((socket as tls.TLSSocket).getPeerCertificate().raw, pin)) {
        opened = true
        events.open()
      } else {
        failure = pinError(address)
        socket.destroy()
      }
    })
    socket.on("data", chunk => {
      if (!silent) events.data(chunk as Uint8Array)
    })
    socket.on("error", error => {
      failure = dropOf(error, address.tls)
    })
    socket.once("close", () => {
      if (!silent) events.closed(failure)
    })
    return {
      write: text => void socket.write(text),
      close() {
        silent = true
        if (opened) socket.destroySoon()
        else socket.destroy()
      },
    }
  }
}

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
    `${host}:${port} shows another certificate than the one pinned by ${pin!.description}: get its SHA-256 from the ` +
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
