import { fingerprint } from "../../../src/sources/pin.ts"
import { newJobMessage } from "../../../src/sources/quic/messages.ts"
import { createQuicSource } from "../../../src/sources/quic/quic-source.ts"
import type { PeerAddress, SessionEvents } from "../../../src/sources/quic/transport.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { describeContract, type OfferedJob, type Peer } from "../contract.ts"
import { CERTIFICATE, type FakeSession, FakeTransport } from "./fake-transport.ts"

/** Milliseconds after which a node that has not hung up knows the token. */
const CONFIRMED_MS = 2000

describeContract("The QUIC source", async () => new NodePeer(), {
  reject: "a node answers no result",
  unanswered: "a seal after which nothing was heard is sent once more, if its job is still the node's",
})

/** A node without a network: answers every attempt, keeps its connections alive, and sends the job it has. */
class NodePeer extends FakeTransport implements Peer {
  readonly clock = new FakeClock()
  readonly name = "quic://10.0.0.1:9833"
  readonly source: JobSource
  #job: OfferedJob | undefined
  /** Seals whose datagrams the source knows to have arrived. */
  #acknowledged = 0
  #wake = () => {}

  constructor() {
    super()
    this.source = createQuicSource({
      name: this.name,
      host: "10.0.0.1",
      port: 9833,
      token: { description: "the token", read: () => "token" },
      pin: { description: "the pin", read: () => fingerprint(CERTIFICATE) },
      keepMining: false,
      transport: this,
      resolve: async host => [host],
      clock: this.clock,
      log: collectLog(),
      random: () => 0,
    })
    this.clock.every(1000, () => this.#alive()?.heard())
  }

  override connect(address: PeerAddress, events: SessionEvents): FakeSession {
    const session = super.connect(address, events)
    const { send } = session
    session.send = bytes => {
      send.call(session, bytes)
      setImmediate(() => {
        session.heard()
        this.#acknowledged = this.seals().length
        this.#wake()
      })
    }
    setImmediate(() => {
      if (session.state !== "open") return
      session.open()
      this.#sendJob(session)
    })
    return session
  }

  async greet(): Promise<void> {
    await this.clock.advance(this.#job ? 0 : CONFIRMED_MS)
  }

  offer(job: OfferedJob): void {
    this.#job = job
    const session = this.#alive()
    if (session) this.#sendJob(session)
  }

  seals() {
    const results = this.sessions.flatMap(({ sent }) => sent.map(json => JSON.parse(json).JobResult))
    return results.filter(result => result).map(result => ({ jobId: result.job_id, nonce: result.work }))
  }

  async arrived(count: number): Promise<void> {
    while (this.#acknowledged < count) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  rejectWith(): void {}

  stopAnswering(): void {}

  drop(): void {
    this.#alive()?.end()
  }

  elapse(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  babble(): void {
    const session = this.#alive()!
    const job = { job_id: "bad", mining_hash: CERTIFICATE.toHex(), difficulty: "0" }
    session.receive("", "{", "[]", "null", '"NewJob"', '{"Dance":{}}', '{"NewJob":{}}', JSON.stringify({ NewJob: job }))
    session.receiveBytes(new Uint8Array(8).fill(0xff))
  }

  #alive(): FakeSession | undefined {
    return this.sessions.findLast(({ state, sent }) => state === "open" && sent.length > 0)
  }

  #sendJob(session: FakeSession): void {
    if (this.#job) session.receive(newJobMessage(this.#job.id, this.#job.header, this.#job.difficulty))
  }
}
