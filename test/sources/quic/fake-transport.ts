import { encodeFrame, FrameDecoder } from "../../../src/sources/quic/frames.ts"
import type { PeerAddress, Session, SessionEnd, SessionEvents, Transport } from "../../../src/sources/quic/transport.ts"

export const CERTIFICATE = new TextEncoder().encode("the node's certificate")

/** A connection whose other end the test plays. */
export class FakeSession implements Session {
  bytesReceived = 0n
  /** The JSON of every frame sent. */
  readonly sent: string[] = []
  state: "open" | "closed" = "open"
  readonly #decoder = new FrameDecoder()

  constructor(
    readonly address: PeerAddress,
    readonly events: SessionEvents,
  ) {}

  send(bytes: Uint8Array): void {
    this.sent.push(...this.#decoder.push(bytes))
  }

  async close(): Promise<void> {
    this.state = "closed"
  }

  /** The handshake succeeds. */
  open(certificate: Uint8Array = CERTIFICATE): void {
    this.heard()
    this.events.opened(certificate)
  }

  /** Any datagram: an answer to a ping, an acknowledgement. */
  heard(): void {
    this.bytesReceived += 40n
  }

  /** Frames that arrive together. */
  receive(...frames: readonly string[]): void {
    this.receiveBytes(...frames.map(encodeFrame))
  }

  receiveBytes(...chunks: readonly Uint8Array[]): void {
    this.heard()
    if (this.state === "open") this.events.data(chunks)
  }

  end(reason: SessionEnd["reason"] = "closed", message = "the node closed the connection"): void {
    if (this.state === "open") this.events.closed({ reason, message })
  }
}

export class FakeTransport implements Transport {
  readonly sessions: FakeSession[] = []
  closed = false
  /** What the system answers to a datagram, by address. */
  readonly refusals: Record<string, string> = {}

  connect(address: PeerAddress, events: SessionEvents): FakeSession {
    const session = new FakeSession(address, events)
    this.sessions.push(session)
    return session
  }

  async sendRefusal({ ip }: PeerAddress): Promise<string | undefined> {
    return this.refusals[ip]
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get last(): FakeSession {
    return this.sessions.at(-1)!
  }

  /** Attempts and connections that were not closed. */
  get open(): number {
    return this.sessions.filter(({ state }) => state === "open").length
  }
}
