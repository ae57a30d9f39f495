/** A node that does what the test tells it, right or wrong. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createIdentity, type Identity, PIN_FILE, saveIdentity, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { listenForMiners, type Peer, type Server } from "../../src/devnode/server.ts"
import { targetOf, verifySeal } from "../../src/pow/target.ts"
import { encodeFrame, FrameDecoder } from "../../src/sources/quic/frames.ts"
import { type JobResult, newJobMessage, parseMinerMessage } from "../../src/sources/quic/messages.ts"

export interface TestJob {
  readonly id: string
  readonly header: Uint8Array
  readonly difficulty: bigint
  /** `performance.now()` */
  readonly sentAt: number
}

export interface Arrival {
  readonly result: JobResult
  /** `performance.now()` */
  readonly at: number
}

/** A miner's connection, from its `Ready` on. */
export class TestPeer {
  readonly results: Arrival[] = []
  readonly openedAt = performance.now()
  closedAt: number | undefined
  readonly #waiting = new Set<() => void>()
  readonly #peer: Peer

  constructor(
    peer: Peer,
    readonly token: string,
  ) {
    this.#peer = peer
  }

  send(json: string): void {
    this.#peer.send(encodeFrame(json))
  }

  sendBytes(bytes: Uint8Array): void {
    this.#peer.send(bytes)
  }

  sendAside(bytes: Uint8Array): void {
    this.#peer.sendAside(bytes)
  }

  close(): void {
    this.#peer.close("")
  }

  sendJob(difficulty: bigint): TestJob {
    const job = newTestJob(difficulty)
    this.send(newJobMessage(job.id, job.header, difficulty))
    return job
  }

  /** The first result from number `from` on that is of the job. */
  async resultOf(id: string, from = 0): Promise<Arrival> {
    for (let i = from; ; i++) {
      while (i >= this.results.length) await this.#more()
      if (this.results[i]!.result.job_id === id) return this.results[i]!
    }
  }

  /** Settles when the miner has closed the connection. */
  async closed(): Promise<void> {
    while (this.closedAt === undefined) await this.#more()
  }

  take(result: JobResult): void {
    this.results.push({ result, at: performance.now() })
    this.#wake()
  }

  end(): void {
    this.closedAt = performance.now()
    this.#wake()
  }

  #more(): Promise<void> {
    return new Promise(resolve => this.#waiting.add(resolve))
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

let lastJob = 0

export function newTestJob(difficulty: bigint): TestJob {
  const header = crypto.getRandomValues(new Uint8Array(32))
  return { id: `test-${++lastJob}`, header, difficulty, sentAt: performance.now() }
}

/** Whether a result seals the job. */
export function isValid(job: TestJob, { status, work }: JobResult): boolean {
  return (
    status === "completed" && verifySeal(job.header, Uint8Array.fromHex(work!), targetOf(job.difficulty)) !== undefined
  )
}

export interface ScriptedNode {
  readonly port: number
  readonly identity: Identity
  /** What a miner is to be started with, to find this node's credentials in files. */
  readonly credentials: readonly string[]
  /** Every miner that has said `Ready`. */
  readonly peers: readonly TestPeer[]
  /** The miner's connection number `index`, once it is there. */
  peer(index?: number): Promise<TestPeer>
  close(): Promise<void>
}

export interface ScriptedNodeOptions {
  readonly address?: string
  readonly port?: number
  readonly identity?: Identity
  readonly alpn?: string
  /** Called with each miner that says `Ready`; if absent, they are only kept. */
  readonly onReady?: (peer: TestPeer) => void
}

export async function startScriptedNode(options: ScriptedNodeOptions = {}): Promise<ScriptedNode> {
  const identity = options.identity ?? (await createIdentity())
  const dir = mkdtempSync(join(tmpdir(), "quantus-faults-"))
  await saveIdentity(dir, identity)
  const peers: TestPeer[] = []
  const waiting = new Set<() => void>()
  const { address = "127.0.0.1", port = 0, alpn } = options
  const server: Server = await listenForMiners(
    { address, port, identity, ...(alpn !== undefined && { alpn }) },
    peer => {
      const decoder = new FrameDecoder()
      let ready: TestPeer | undefined
      return {
        data(bytes) {
          for (const json of decoder.push(bytes)) {
            const message = parseMinerMessage(json)
            if (message.kind === "result") ready?.take(message.result)
            if (message.kind !== "ready") continue
            ready = new TestPeer(peer, message.token)
            peers.push(ready)
            for (const wake of waiting) wake()
            waiting.clear()
            options.onReady?.(ready)
          }
        },
        closed: () => ready?.end(),
      }
    },
  )
  return {
    port: server.port,
    identity,
    credentials: [`--auth-token-file=${join(dir, TOKEN_FILE)}`, `--tls-cert-sha256-file=${join(dir, PIN_FILE)}`],
    peers,
    async peer(index = 0) {
      while (peers.length <= index) await new Promise<void>(resolve => waiting.add(resolve))
      return peers[index]!
    },
    async close() {
      await server.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
