/** The contract of a source over real QUIC, on loopback. */
import { systemClock } from "../../src/clock.ts"
import { createIdentity, type Identity } from "../../src/devnode/identity.ts"
import { listenForMiners, type Peer as Miner, type Server } from "../../src/devnode/server.ts"
import { encodeFrame, FrameDecoder } from "../../src/sources/quic/frames.ts"
import { newJobMessage } from "../../src/sources/quic/messages.ts"
import { createTransport } from "../../src/sources/quic/node-quic.ts"
import { createQuicSource } from "../../src/sources/quic/quic-source.ts"
import { resolveHost } from "../../src/sources/quic/resolve.ts"
import type { JobSource } from "../../src/sources/source.ts"
import { describeContract, type OfferedJob, type Peer } from "../sources/contract.ts"
import { collectLog } from "../support/collect-log.ts"

/** No wait of the contract needs longer, where time is real. */
const LONGEST_MS = 600

describeContract("The QUIC source over loopback", () => LoopbackPeer.open(), {
  reject: "a node answers no result",
  unanswered: "a seal after which nothing was heard is sent once more, if its job is still the node's",
})

class LoopbackPeer implements Peer {
  readonly source: JobSource
  readonly name: string
  readonly #seals: { jobId: string; nonce: string }[] = []
  #miner: Miner | undefined
  #job: OfferedJob | undefined
  #wake = () => {}

  private constructor(
    private readonly server: Server,
    { token, pin }: Identity,
  ) {
    this.name = `quic://127.0.0.1:${server.port}`
    this.source = createQuicSource({
      name: this.name,
      host: "127.0.0.1",
      port: server.port,
      token: { description: "the token", read: () => token },
      pin: { description: "the pin", read: () => pin },
      keepMining: false,
      transport: createTransport(),
      resolve: resolveHost,
      clock: systemClock,
      log: collectLog(),
    })
  }

  static async open(): Promise<LoopbackPeer> {
    const identity = await createIdentity()
    const server = await listenForMiners({ address: "127.0.0.1", port: 0, identity }, miner => peer.#accept(miner))
    const peer = new LoopbackPeer(server, identity)
    return peer
  }

  offer(job: OfferedJob): void {
    this.#job = job
    this.#sendJob()
  }

  seals() {
    return this.#seals
  }

  async arrived(count: number): Promise<void> {
    while (this.#seals.length < count) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  rejectWith(): void {}

  stopAnswering(): void {}

  drop(): void {
    this.#miner?.close("enough")
    this.#miner = undefined
  }

  elapse(ms: number): Promise<void> {
    return Bun.sleep(Math.min(ms, LONGEST_MS))
  }

  babble(): void {
    for (const text of ["", "{", "[]", "null", '"NewJob"', '{"Dance":{}}', '{"NewJob":{}}']) {
      this.#miner?.send(encodeFrame(text))
    }
    this.#miner?.send(new Uint8Array(8).fill(0xff))
  }

  close(): Promise<void> {
    return this.server.close()
  }

  #accept(miner: Miner) {
    const decoder = new FrameDecoder()
    return {
      data: (bytes: Uint8Array) => {
        for (const json of decoder.push(bytes)) this.#take(miner, json)
      },
      closed: () => {
        if (this.#miner === miner) this.#miner = undefined
      },
    }
  }

  #take(miner: Miner, json: string): void {
    const { Ready, JobResult } = JSON.parse(json)
    if (Ready) {
      this.#miner = miner
      this.#sendJob()
    }
    if (!JobResult) return
    this.#seals.push({ jobId: JobResult.job_id, nonce: JobResult.work })
    this.#wake()
  }

  #sendJob(): void {
    if (this.#job) this.#miner?.send(encodeFrame(newJobMessage(this.#job.id, this.#job.header, this.#job.difficulty)))
  }
}
