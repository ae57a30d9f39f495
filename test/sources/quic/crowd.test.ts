/** Many miners at a node that returns: it has few places for handshakes and refuses whoever finds none. */
import { expect, test } from "bun:test"
import type { Clock } from "../../../src/clock.ts"
import { Dialer } from "../../../src/sources/quic/dial.ts"
import type { Session, SessionEvents, Transport } from "../../../src/sources/quic/transport.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { CERTIFICATE } from "./fake-transport.ts"

const MINERS = 240
const PLACES = 32
/** What a handshake takes while a crowd is at the node. */
const HANDSHAKE_MS = 300
/** Time for which the node keeps the place of a handshake whose miner is silent. */
const KEPT_MS = 10_000
/** When the runtime sends the first datagram of an unanswered handshake. */
const REPETITIONS_MS = [0, 128, 428, 1040, 2240, 4640]

test("a crowd of miners is back within 10 s of a node's return, each refused at most once", async () => {
  for (const seed of [1, 2, 3]) {
    const clock = new FakeClock()
    const node = new CrowdedNode(clock)
    const random = seededRandom(seed)
    const returned: number[] = []
    const refusals = Array.from({ length: MINERS }, () => 0)
    for (const id of refusals.keys()) {
      const transport = node.transportOf(() => refusals[id]!++)
      const options = { host: "node", port: 9833, resolve: async () => ["10.0.0.1"], transport, clock, random }
      const dialer = new Dialer(options, {
        opened() {
          returned.push(clock.now())
          return { data() {}, closed() {} }
        },
        failed() {},
      })
      dialer.dial("lost")
    }
    await clock.advance(3000)
    node.present = true
    await clock.advance(10_000)
    expect(returned.length).toBe(MINERS)
    expect(Math.max(...refusals)).toBe(1)
    expect(node.taken).toBe(0)
  }
}, 30_000)

/** Admits `PLACES` handshakes at a time. */
class CrowdedNode {
  present = false
  taken = 0

  constructor(readonly clock: Clock) {}

  transportOf(refused: () => void): Transport {
    return {
      connect: (_address, events) => this.#arrive(events, refused),
      sendRefusal: async () => undefined,
      close: async () => {},
    }
  }

  #arrive(events: SessionEvents, refused: () => void): Session {
    let received = 0n
    let isClosed = false
    let leave = () => {}
    const admit = () => {
      received += 1200n
      this.taken++
      const cancel = this.clock.after(KEPT_MS, () => leave())
      leave = () => {
        cancel()
        this.taken--
        leave = () => {}
      }
      this.clock.after(HANDSHAKE_MS, () => {
        if (isClosed) return
        leave()
        events.opened(CERTIFICATE)
      })
    }
    const repetitions = REPETITIONS_MS.map(ms =>
      this.clock.after(ms, () => {
        if (isClosed || !this.present || received > 0n) return
        if (this.taken < PLACES) return admit()
        refused()
        isClosed = true
        events.closed({ reason: "refused", message: "the node refuses connections" })
      }),
    )
    return {
      get bytesReceived() {
        return received
      },
      send() {},
      async close() {
        isClosed = true
        for (const cancel of repetitions) cancel()
        leave()
      },
    }
  }
}

/** Uniform in 0 … 1: a linear congruential generator. */
function seededRandom(seed: number): () => number {
  let state = BigInt(seed)
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n)
    return Number(state >> 11n) / 2 ** 53
  }
}
