/**
 * The development node: sends jobs to every miner that knows its token, a new one after each valid seal and at the end
 * of an interval, and verifies the miners' results with the reference hash.
 */
import { randomBytes } from "node:crypto"
import type { Clock } from "../clock.ts"
import { targetOf, verifySeal } from "../pow/target.ts"
import { bytesToInteger } from "../pow/u512.ts"
import { encodeFrame, FrameDecoder, FrameError } from "../sources/quic/frames.ts"
import { type JobResult, newJobMessage, parseMinerMessage } from "../sources/quic/messages.ts"
import { type Identity, loadOrCreateIdentity } from "./identity.ts"
import { listenForMiners, type Peer, type PeerListener } from "./server.ts"

export interface NodeOptions {
  /** IP address to bind, `127.0.0.1` unless other computers must reach it. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** Directory of its token and certificate; created if absent. */
  readonly dir: string
  /** 1 … 2^512 − 1 */
  readonly difficulty: bigint
  /** Age at which a job is replaced. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly onEvent: (event: NodeEvent) => void
}

export type NodeEvent =
  | { readonly type: "connected"; readonly miner: number; readonly remote: string }
  | { readonly type: "disconnected"; readonly miner: number }
  /** A connection that ended before it was authenticated. */
  | { readonly type: "rejected"; readonly remote: string; readonly why: string }
  | { readonly type: "job"; readonly id: string; readonly difficulty: bigint; readonly miners: number }
  | ResultEvent

export interface ResultEvent {
  readonly type: "result"
  readonly miner: number
  /** `stale`: the job was replaced; `failed`: the miner reports no nonce. */
  readonly verdict: "valid" | "invalid" | "stale" | "failed"
  readonly result: JobResult
  /** Milliseconds since the current job was first sent. */
  readonly age: number
  /** Difficulty ÷ hash count: above 1 if the miner was lucky. */
  readonly luck: number
}

/** Counts since the start. */
export interface NodeTotals {
  jobs: number
  valid: number
  invalid: number
  stale: number
  failed: number
  hashes: bigint
}

export interface DevNode {
  readonly port: number
  readonly identity: Identity
  readonly totals: Readonly<NodeTotals>
  /** Replaces the current job now. */
  nextJob(): void
  close(): Promise<void>
}

interface NodeJob {
  readonly id: string
  readonly header: Uint8Array
  readonly sentAt: number
}

/** Maximum time until a connection must send its token. */
const AUTH_MS = 10_000

/** The runtime's server drops a connection whose stream is idle for 60 s, so the job is resent before that. */
const REMIND_MS = 45_000

/** @throws OperatorError if the address cannot be bound */
export async function startNode(options: NodeOptions): Promise<DevNode> {
  const node = new Node(options, await loadOrCreateIdentity(options.dir))
  await node.listen()
  return node
}

class Node implements DevNode {
  readonly #options: NodeOptions
  readonly totals: NodeTotals = { jobs: 0, valid: 0, invalid: 0, stale: 0, failed: 0, hashes: 0n }
  readonly #miners = new Map<number, Peer>()
  readonly #target: bigint
  #server: { readonly port: number; close(): Promise<void> } | undefined
  #lastMiner = 0
  #job: NodeJob | undefined
  #cancelInterval = () => {}
  #cancelReminder = () => {}

  constructor(
    options: NodeOptions,
    readonly identity: Identity,
  ) {
    this.#options = options
    this.#target = targetOf(options.difficulty)
  }

  get port(): number {
    return this.#server!.port
  }

  async listen(): Promise<void> {
    const { address, port } = this.#options
    this.#server = await listenForMiners({ address, port, identity: this.identity }, peer => this.#accept(peer))
    this.nextJob()
  }

  nextJob(): void {
    const { clock, intervalMs, difficulty } = this.#options
    this.#cancelInterval()
    this.#cancelInterval = clock.after(intervalMs, () => this.nextJob())
    this.#job = { id: `job-${++this.totals.jobs}`, header: randomBytes(32), sentAt: clock.now() }
    this.#broadcast()
    this.#emit({ type: "job", id: this.#job.id, difficulty, miners: this.#miners.size })
  }

  async close(): Promise<void> {
    this.#cancelInterval()
    this.#cancelReminder()
    await this.#server?.close()
  }

  #broadcast(): void {
    this.#cancelReminder()
    this.#cancelReminder = this.#options.clock.after(REMIND_MS, () => this.#broadcast())
    for (const peer of this.#miners.values()) this.#sendJob(peer)
  }

  #accept(peer: Peer): PeerListener {
    const decoder = new FrameDecoder()
    let miner: number | undefined
    const reject = (why: string) => {
      this.#emit({ type: "rejected", remote: peer.remote, why })
      peer.close("auth failed")
    }
    const cancelTimeout = this.#options.clock.after(AUTH_MS, () => reject("no token was received in time"))
    const take = (json: string) => {
      const message = parseMinerMessage(json)
      if (miner !== undefined) {
        if (message.kind === "result") this.#judge(miner, message.result)
        return
      }
      cancelTimeout()
      if (message.kind !== "ready") reject("its first message was not Ready")
      else if (message.token.trim() !== this.identity.token) reject("its token is wrong")
      else miner = this.#admit(peer)
    }
    return {
      data(bytes) {
        try {
          for (const json of decoder.push(bytes)) take(json)
        } catch (error) {
          if (!(error instanceof FrameError)) throw error
          reject(error.message)
        }
      },
      closed: () => {
        cancelTimeout()
        if (miner !== undefined && this.#miners.delete(miner)) this.#emit({ type: "disconnected", miner })
      },
    }
  }

  #admit(peer: Peer): number {
    const miner = ++this.#lastMiner
    this.#miners.set(miner, peer)
    this.#emit({ type: "connected", miner, remote: peer.remote })
    this.#sendJob(peer)
    return miner
  }

  #sendJob(peer: Peer): void {
    const job = this.#job
    if (job) peer.send(encodeFrame(newJobMessage(job.id, job.header, this.#options.difficulty)))
  }

  #judge(miner: number, result: JobResult): void {
    const verdict = this.#verdict(result)
    this.totals[verdict]++
    this.totals.hashes += result.hash_count
    const age = this.#options.clock.now() - (this.#job?.sentAt ?? 0)
    const luck = Number(this.#options.difficulty) / Number(result.hash_count)
    this.#emit({ type: "result", miner, verdict, result, age, luck })
    if (verdict === "valid") this.nextJob()
  }

  #verdict({ status, job_id, nonce, work }: JobResult): ResultEvent["verdict"] {
    const job = this.#job
    if (job_id !== job?.id) return "stale"
    if (status !== "completed") return "failed"
    if (work === null || !/^[0-9a-f]{128}$/.test(work)) return "invalid"
    const bytes = Uint8Array.fromHex(work)
    if (nonce !== bytesToInteger(bytes).toString(16)) return "invalid"
    return verifySeal(job.header, bytes, this.#target) ? "valid" : "invalid"
  }

  #emit(event: NodeEvent): void {
    this.#options.onEvent(event)
  }
}
