import type { OperatorError } from "../../../src/errors.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import type { Connect, Drop, SocketEvents } from "../../../src/sources/stratum/socket.ts"
import { createStratumSource, type StratumOptions } from "../../../src/sources/stratum/stratum-source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import type { OfferedJob, Peer } from "../contract.ts"

interface Sent {
  readonly id: number
  readonly method: "login" | "submit" | "keepalived"
  readonly params: {
    readonly [Name in "id" | "job_id" | "nonce" | "result" | "login" | "pass" | "agent"]?: string
  }
}

/** A pool without a network: the source's messages are kept and, by default, answered. */
export class FakePool implements Peer {
  readonly clock = new FakeClock()
  readonly log = collectLog()
  readonly name: string
  readonly sent: Sent[] = []
  source: JobSource
  /** Answers to `login`, the last one for good: an error's message, or undefined to accept. */
  logins: (string | undefined)[] = [undefined]
  extranonce = "00131609"
  connections = 0
  password = "x"
  /** What the next connections come to instead of opening. */
  failures: (Drop | OperatorError)[] = []
  answering = true
  keepalive = true
  /** Whether answers carry the id of their request. */
  givesIds = true
  #reason: string | undefined
  #once: string | undefined
  #job: object | null = null
  #events: SocketEvents | undefined
  #wake = () => {}

  constructor(host = "pool.test", options: Partial<StratumOptions> = {}) {
    this.name = `stratum+tcp://${host}:3333`
    this.source = createStratumSource({
      name: this.name,
      connect: this.#connect,
      credentials: () => ({ login: "qzTest.rig", password: this.password, agent: "quantus-miner/test" }),
      clock: this.clock,
      log: this.log,
      random: () => 0,
      ...options,
    })
  }

  offer({ id, header, difficulty }: OfferedJob): void {
    const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }
    this.#job = {
      algo: "qpow-poseidon2",
      job_id: id,
      mining_hash: header.toHex(),
      extranonce: this.extranonce,
      difficulty: rawJSON(String(difficulty)),
    }
    this.say({ jsonrpc: "2.0", method: "job", params: { clean_jobs: true, job: this.#job } })
  }

  seals() {
    return this.submits().map(({ params }) => ({ jobId: params.job_id!, nonce: params.nonce! }))
  }

  submits(): Sent[] {
    return this.sent.filter(({ method }) => method === "submit")
  }

  async arrived(count: number): Promise<void> {
    while (this.submits().length < count) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  rejectWith(reason: string | undefined): void {
    this.#reason = reason
  }

  rejectOnce(reason: string): void {
    this.#once = reason
  }

  stopAnswering(): void {
    this.answering = false
  }

  drop(why: Drop | OperatorError = { reason: "closed", message: "gone" }): void {
    const events = this.#events
    this.#events = undefined
    events?.closed(why)
  }

  elapse(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  babble(): void {
    this.raw(
      '}{\n\n[]\nnull\n"job"\n{"method":"job"}\n{"method":"dance"}\n{"id":99,"result":{}}\n{"id":{}}\n\u0000\u00ff\n',
    )
    this.say({ method: "job", params: { job: { job_id: "bad", mining_hash: "0x12", difficulty: 0 } } })
  }

  close(): void {}

  say(message: object): void {
    this.raw(`${JSON.stringify(message)}\n`)
  }

  raw(text: string | Uint8Array): void {
    this.#events?.data(typeof text === "string" ? new TextEncoder().encode(text) : text)
  }

  answer(id: number, result: unknown, error?: unknown): void {
    this.say({ ...(this.givesIds && { id }), jsonrpc: "2.0", ...(error === undefined ? { result } : { error }) })
  }

  readonly #connect: Connect = events => {
    this.connections++
    const failure = this.failures.shift()
    setImmediate(() => {
      if (failure) {
        events.closed(failure)
      } else {
        this.#events = events
        events.open()
      }
    })
    return {
      write: text => {
        for (const line of text.trimEnd().split("\n")) this.#take(JSON.parse(line))
      },
      close: () => {
        this.#events = undefined
      },
    }
  }

  #take(message: Sent): void {
    this.sent.push(message)
    this.#wake()
    setImmediate(() => this.#reply(message))
  }

  #reply({ id, method }: Sent): void {
    if (method === "login") {
      const error = this.logins.length > 1 ? this.logins.shift() : this.logins[0]
      const result = { id: "session", status: "OK", extensions: this.keepalive ? ["keepalive"] : [], job: this.#job }
      this.answer(id, result, error && { code: -1, message: error })
    } else if (this.answering) {
      const result = { status: method === "keepalived" ? "KEEPALIVED" : "OK" }
      const reason = method === "submit" ? (this.#once ?? this.#reason) : undefined
      if (method === "submit") this.#once = undefined
      this.answer(id, result, reason && { code: 23, message: reason })
    }
  }
}
