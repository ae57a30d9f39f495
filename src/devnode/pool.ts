/**
 * The development pool: accepts every login, gives each miner a separate extranonce, and verifies shares with the
 * reference hash (protocol §3).
 */
import { randomBytes, randomUUID } from "node:crypto"
import type { Clock } from "../clock.ts"
import { targetOf, verifySeal } from "../pow/target.ts"
import { integerToBytes } from "../pow/u512.ts"
import { type Fields, line, MalformedMessage, parseObject } from "../sources/stratum/messages.ts"
import { listenForLines, type PoolPeer, type PoolPeerListener, type PoolServer } from "./pool-server.ts"

export interface PoolOptions {
  /** IP address to bind, `127.0.0.1` unless other computers must reach it. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** Certificate and key for TLS, PEM; clear text if absent. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** Difficulty of a share, 1 … 2^512 − 1. */
  readonly difficulty: bigint
  /** Age at which a job is replaced, 0 for never. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly onEvent: (event: PoolEvent) => void
}

export type PoolEvent =
  | { readonly type: "connected"; readonly miner: number; readonly remote: string; readonly login: string }
  | { readonly type: "disconnected"; readonly miner: number }
  | { readonly type: "job"; readonly id: string; readonly difficulty: bigint; readonly miners: number }
  | ShareEvent

export interface ShareEvent {
  readonly type: "share"
  readonly miner: number
  readonly verdict: ShareVerdict
  readonly jobId: string
  /** Milliseconds since the current job was sent. */
  readonly age: number
}

/** `stale`: the job was replaced; `foreign`: the nonce does not begin with the miner's extranonce. */
export type ShareVerdict = "accepted" | "stale" | "duplicate" | "low" | "foreign" | "malformed"

/** Counts since the start. */
export type PoolTotals = Readonly<Record<ShareVerdict, number>> & { readonly jobs: number }

export interface DevPool {
  readonly port: number
  readonly totals: PoolTotals
  /** Replaces the current job now. */
  nextJob(): void
  close(): Promise<void>
}

const EXTRANONCE_BYTES = 4
const LOGIN_MS = 10_000
/** Maximum number of shares remembered per job, to detect duplicates; then the job is replaced. */
const MAX_SHARES = 100_000

const COMPLAINTS: Readonly<Record<Exclude<ShareVerdict, "accepted">, { code: number; message: string }>> = {
  malformed: { code: 20, message: "Malformed share" },
  stale: { code: 21, message: "Stale share" },
  duplicate: { code: 22, message: "Duplicate share" },
  low: { code: 23, message: "Low difficulty share" },
  foreign: { code: 24, message: "Nonce does not begin with the extranonce" },
}

interface Miner {
  readonly number: number
  readonly session: string
  /** Hex of the first bytes of its nonces. */
  readonly extranonce: string
}

interface PoolJob {
  readonly id: string
  readonly header: Uint8Array
  readonly sentAt: number
  /** Nonces in hex. */
  readonly shares: Set<string>
}

/** @throws OperatorError if the address cannot be bound */
export async function startPool(options: PoolOptions): Promise<DevPool> {
  const pool = new Pool(options)
  try {
    await pool.listen()
  } catch (error) {
    await pool.close()
    throw error
  }
  return pool
}

class Pool implements DevPool {
  readonly #options: PoolOptions
  readonly totals = { jobs: 0, accepted: 0, stale: 0, duplicate: 0, low: 0, foreign: 0, malformed: 0 }
  readonly #miners = new Map<Miner, PoolPeer>()
  readonly #target: bigint
  readonly #firstExtranonce = randomBytes(EXTRANONCE_BYTES).readUInt32BE()
  #server: PoolServer | undefined
  #lastMiner = 0
  #job: PoolJob
  #cancelInterval = () => {}

  constructor(options: PoolOptions) {
    this.#options = options
    this.#target = targetOf(options.difficulty)
    this.#job = this.#newJob()
  }

  get port(): number {
    return this.#server!.port
  }

  async listen(): Promise<void> {
    this.#server = await listenForLines(this.#options, peer => this.#accept(peer))
  }

  nextJob(): void {
    this.#job = this.#newJob()
    for (const [miner, peer] of this.#miners) {
      const params = { clean_jobs: true, job: this.#jobFor(miner) }
      peer.send(line({ jsonrpc: "2.0", method: "job", params }))
    }
    const { difficulty, onEvent } = this.#options
    onEvent({ type: "job", id: this.#job.id, difficulty, miners: this.#miners.size })
  }

  async close(): Promise<void> {
    this.#cancelInterval()
    await this.#server?.close()
  }

  #newJob(): PoolJob {
    const { clock, intervalMs, difficulty } = this.#options
    this.#cancelInterval()
    if (intervalMs > 0) this.#cancelInterval = clock.after(intervalMs, () => this.nextJob())
    const id = `${++this.totals.jobs}-${difficulty}`
    return { id, header: randomBytes(32), sentAt: clock.now(), shares: new Set() }
  }

  #accept(peer: PoolPeer): PoolPeerListener {
    let miner: Miner | undefined
    const cancelTimeout = this.#options.clock.after(LOGIN_MS, () => peer.close())
    const take = (message: Fields) => {
      const { id, method } = message
      const params = (message.params ?? {}) as Fields
      if (method === "login") {
        if (miner || typeof params.login !== "string" || params.login === "") {
          peer.send(answer(id, { code: -1, message: "Invalid login" }))
          return
        }
        cancelTimeout()
        miner = this.#admit(peer, params.login)
        peer.send(answer(id, null, { id: miner.session, job: this.#jobFor(miner), status: "OK", ...KEEPALIVE }))
      } else if (!miner || params.id !== miner.session) {
        peer.send(answer(id, { code: 25, message: "Not logged in" }))
      } else if (method === "submit") {
        const verdict = this.#judge(miner, params)
        peer.send(verdict === "accepted" ? answer(id, null, { status: "OK" }) : answer(id, COMPLAINTS[verdict]))
        if (this.#job.shares.size >= MAX_SHARES) this.nextJob()
      } else if (method === "keepalived") {
        peer.send(answer(id, null, { status: "KEEPALIVED" }))
      } else {
        peer.send(answer(id, { code: -3, message: "Unknown method" }))
      }
    }
    return {
      line(text) {
        try {
          take(parseObject(text))
        } catch (error) {
          if (!(error instanceof MalformedMessage)) throw error
          peer.close()
        }
      },
      closed: () => {
        cancelTimeout()
        if (miner && this.#miners.delete(miner)) this.#options.onEvent({ type: "disconnected", miner: miner.number })
      },
    }
  }

  #admit(peer: PoolPeer, login: string): Miner {
    const number = ++this.#lastMiner
    const extranonce = ((this.#firstExtranonce + number) >>> 0).toString(16).padStart(2 * EXTRANONCE_BYTES, "0")
    const miner = { number, session: randomUUID(), extranonce }
    this.#miners.set(miner, peer)
    this.#options.onEvent({ type: "connected", miner: number, remote: peer.remote, login })
    return miner
  }

  #jobFor({ extranonce }: Miner) {
    const { id, header } = this.#job
    return {
      algo: "qpow-poseidon2",
      job_id: id,
      mining_hash: header.toHex(),
      extranonce,
      difficulty: exactNumber(this.#options.difficulty),
      target: integerToBytes(this.#target).toHex(),
      seq: this.totals.jobs,
    }
  }

  #judge(miner: Miner, share: Fields): ShareVerdict {
    const verdict = this.#verdict(miner, share)
    const { sentAt } = this.#job
    const jobId = String(share.job_id)
    this.totals[verdict]++
    const age = this.#options.clock.now() - sentAt
    this.#options.onEvent({ type: "share", miner: miner.number, verdict, jobId, age })
    return verdict
  }

  #verdict({ extranonce }: Miner, { job_id, nonce }: Fields): ShareVerdict {
    const { id, header, shares } = this.#job
    if (typeof nonce !== "string" || !/^[0-9a-f]{128}$/.test(nonce)) return "malformed"
    if (job_id !== id) return "stale"
    if (!nonce.startsWith(extranonce)) return "foreign"
    if (shares.has(nonce)) return "duplicate"
    shares.add(nonce)
    return verifySeal(header, Uint8Array.fromHex(nonce), this.#target) ? "accepted" : "low"
  }
}

const KEEPALIVE = { extensions: ["keepalive"] }

const answer = (id: unknown, error: object | null, result: object | null = null): string =>
  line({ id: typeof id === "number" || typeof id === "string" ? id : null, jsonrpc: "2.0", error, result })

/** A value that `JSON.stringify` writes with all digits. */
function exactNumber(value: bigint): unknown {
  const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }
  return rawJSON(String(value))
}
