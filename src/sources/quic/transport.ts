/** The QUIC operations that the source needs. `node-quic.ts` implements them; tests replace them. */
import type { DisconnectReason } from "../source.ts"

/** An IP address, IPv6 without brackets, and a UDP port. */
export interface PeerAddress {
  readonly ip: string
  readonly port: number
}

/** How a connection ended, or why it did not open. */
export interface SessionEnd {
  readonly reason: DisconnectReason
  /** For people: what happened and, if useful, what to do. */
  readonly message: string
}

export interface SessionEvents {
  /** The handshake is complete; the certificate has not been checked. @param certificate DER */
  opened(certificate: Uint8Array): void
  /** All bytes of the stream that have arrived since the last call. */
  data(chunks: readonly Uint8Array[]): void
  /** Once, last; not after `close`. */
  closed(end: SessionEnd): void
}

/** A connection with one stream; it pings the peer while idle. */
export interface Session {
  /** Writes to the stream; to be called after `opened`. */
  send(bytes: Uint8Array): void
  /**
   * Total bytes of all received datagrams, also before `opened`; if it stays constant for longer than a ping interval, the
   * peer may be gone.
   */
  readonly bytesReceived: bigint
  /**
   * Delivers the data sent, closes in order and frees everything; settles within half a second. No event follows. A
   * handshake is closed too: otherwise the node keeps one of its 32 places for 10 s.
   */
  close(): Promise<void>
}

export interface Transport {
  /** Begins a handshake; events come after it has returned. */
  connect(address: PeerAddress, events: SessionEvents): Session
  /** Why this system refuses to send to the address, which `connect` does not report; undefined if it does not. Never rejects. */
  sendRefusal(address: PeerAddress): Promise<string | undefined>
  /** Frees what the sessions share. */
  close(): Promise<void>
}
