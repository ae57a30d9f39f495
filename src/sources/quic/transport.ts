/** What the QUIC source needs of QUIC, so that tests can hand in another: `node-quic.ts` is the real one. */
import type { DisconnectReason } from "../source.ts"

/** An IP address, IPv6 without brackets, and a UDP port. */
export interface PeerAddress {
  readonly ip: string
  readonly port: number
}

/** How a connection ended, or why it never began. */
export interface SessionEnd {
  readonly reason: DisconnectReason
  /** For people: what happened and, where it helps, what to do. */
  readonly message: string
}

export interface SessionEvents {
  /** The handshake is done. Nothing of the certificate has been checked. @param certificate DER */
  opened(certificate: Uint8Array): void
  /** Bytes of the one stream, all that have arrived since the last call. */
  data(chunks: readonly Uint8Array[]): void
  /** Once, last; not after `close` or `abandon`. */
  closed(end: SessionEnd): void
}

/** One connection with its one stream, pinged by itself while it is idle. */
export interface Session {
  /** Writes to the stream; to be called after `opened`. */
  send(bytes: Uint8Array): void
  /** Bytes of all datagrams received: what has not grown for longer than a ping takes may be dead. */
  readonly bytesReceived: bigint
  /** Delivers what was sent, says goodbye and frees everything; settles within half a second. No event follows. */
  close(): Promise<void>
  /** Frees everything without a word on the wire. No event follows. */
  abandon(): void
}

export interface Transport {
  /** Begins a handshake; events come after it has returned. */
  connect(address: PeerAddress, events: SessionEvents): Session
  /** Frees what its sessions shared. */
  close(): Promise<void>
}
