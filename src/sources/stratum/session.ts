/** One connection to a pool from its login to its end: who answers what, and whether the pool is still there. */
import type { Clock } from "../../clock.ts"
import type { OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { LineReader, LineTooLong } from "./lines.ts"
import {
  isKeepalive,
  keepaliveLine,
  loginLine,
  MalformedMessage,
  type PoolMessage,
  parseJob,
  parseLoginResult,
  parsePoolMessage,
  printable,
  type StratumJob,
  shareVerdict,
  submitLine,
} from "./messages.ts"
import type { Connect, Drop, Socket } from "./socket.ts"

export interface Credentials {
  /** `<address>.<worker>` */
  readonly login: string
  readonly password: string
  /** `quantus-miner/<version>` */
  readonly agent: string
}

export interface SessionEvents {
  loggedIn(): void
  /** The pool's newest job, null where it has none; `clean`: it takes no more shares of those before. */
  job(job: StratumJob | null, clean: boolean): void
  /** Once, last, unless `close` was called. */
  ended(why: Drop | OperatorError): void
}

export type Answer = { readonly result: "accepted" | "lost" } | { readonly result: "rejected"; readonly reason: string }

/** Connecting, TLS and the login's answer together. */
const LOGIN_TIMEOUT_MS = 15_000
const KEEPALIVE_MS = 30_000
/** A pool that says it answers `keepalived` and is silent for this long after one is gone. */
const SILENCE_MS = 15_000
const ANSWER_TIMEOUT_MS = 30_000
const LOGIN_ID = 1
/** Different warnings about what a pool sends, in one session. */
const MAX_WARNINGS = 8

export class StratumSession {
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #log: Log
  readonly #events: SessionEvents
  readonly #socket: Socket
  readonly #lines = new LineReader()
  readonly #pending = new Map<number, (answer: Answer) => void>()
  readonly #warned = new Set<string>()
  readonly #cancelLogin: () => void
  #cancelKeepalive = () => {}
  #cancelSilence = () => {}
  #session: string | undefined
  #expectsKeepalive = false
  #sequence: bigint | undefined
  #lastId = LOGIN_ID
  #ended = false

  /** @throws OperatorError where `connect` does */
  constructor(connect: Connect, credentials: Credentials, clock: Clock, log: Log, events: SessionEvents) {
    this.#credentials = credentials
    this.#clock = clock
    this.#log = log
    this.#events = events
    this.#socket = connect({
      open: () => this.#open(),
      data: chunk => this.#receive(chunk),
      closed: why => this.#end(why),
    })
    this.#cancelLogin = clock.after(LOGIN_TIMEOUT_MS, () =>
      this.#drop({ reason: "timeout", message: `no login within ${LOGIN_TIMEOUT_MS / 1000} s` }),
    )
  }

  /** @param nonce 64 bytes @param hash 64 bytes. `lost`: the connection ended, or 30 s passed, without an answer */
  submit(jobId: string, nonce: Uint8Array, hash: Uint8Array): Promise<Answer> {
    if (this.#ended || this.#session === undefined) return Promise.resolve({ result: "lost" })
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () => settle({ result: "lost" }))
    const settle = (answer: Answer) => {
      cancel()
      this.#pending.delete(id)
      resolve(answer)
    }
    this.#pending.set(id, settle)
    this.#socket.write(submitLine(id, this.#session, jobId, nonce, hash))
    return promise
  }

  /** Shares in flight are lost; no event follows. */
  close(): void {
    if (this.#release()) this.#socket.close()
  }

  #open(): void {
    const { login, password, agent } = this.#credentials
    this.#socket.write(loginLine(LOGIN_ID, login, password, agent))
  }

  #receive(chunk: Uint8Array): void {
    this.#cancelSilence()
    try {
      for (const text of this.#lines.push(chunk)) {
        if (this.#ended) return
        this.#read(text)
      }
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error
      this.#drop({ reason: "protocol", message: error.message })
    }
  }

  #read(text: string): void {
    try {
      this.#handle(parsePoolMessage(text))
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      this.#warnOnce(`ignored a message of the pool: ${error.message}`)
    }
  }

  #handle(message: PoolMessage): void {
    if (message.kind === "answer") this.#answered(message.id, message.result, message.error)
    else if (message.kind === "unknown") this.#warnOnce(`ignored a message of the pool: ${message.method}`)
    else if (this.#session !== undefined) this.#takeJob(message.job, message.clean)
  }

  #answered(id: number | undefined, result: unknown, error: string | undefined): void {
    if (isKeepalive(result)) return
    if (this.#session === undefined) {
      if (id === LOGIN_ID || error !== undefined) this.#loginAnswered(result, error)
      return
    }
    const settle = id === undefined ? undefined : this.#pending.get(id)
    if (!settle) {
      if (error !== undefined) this.#log.warn(`the pool says: ${this.#withoutSecrets(error)}`)
      return
    }
    const verdict = error === undefined ? shareVerdict(result) : error
    settle(verdict === true ? { result: "accepted" } : { result: "rejected", reason: this.#withoutSecrets(verdict) })
  }

  #loginAnswered(result: unknown, error: string | undefined): void {
    if (error !== undefined) {
      this.#drop({ reason: "rejected", message: `the pool rejects the login: ${this.#withoutSecrets(error)}` })
      return
    }
    try {
      const login = parseLoginResult(result)
      this.#session = login.session
      this.#expectsKeepalive = login.keepalive
      this.#cancelLogin()
      this.#cancelKeepalive = this.#clock.every(KEEPALIVE_MS, () => this.#keepalive())
      this.#events.loggedIn()
      if (login.job !== null) this.#takeJob(login.job, true)
    } catch (failure) {
      if (!(failure instanceof MalformedMessage)) throw failure
      this.#drop({ reason: "protocol", message: failure.message })
    }
  }

  #takeJob(value: unknown, clean: boolean): void {
    const job = this.#usable(value)
    const last = this.#sequence
    if (job?.sequence !== undefined && last !== undefined && job.sequence < last) {
      this.#log.debug(`ignored job ${printable(job.id)}: its seq ${job.sequence} is before ${last}`)
      return
    }
    if (job) this.#sequence = job.sequence ?? last
    this.#events.job(job, clean)
  }

  /** A job that cannot be read still ends the one before it: the pool has moved on. */
  #usable(value: unknown): StratumJob | null {
    if (value === null) return null
    try {
      return parseJob(value)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      this.#warnOnce(`cannot use the pool's job: ${error.message}`)
      return null
    }
  }

  #keepalive(): void {
    this.#socket.write(keepaliveLine(++this.#lastId, this.#session!))
    if (!this.#expectsKeepalive) return
    this.#cancelSilence()
    this.#cancelSilence = this.#clock.after(SILENCE_MS, () =>
      this.#drop({ reason: "timeout", message: `no answer to keepalived within ${SILENCE_MS / 1000} s` }),
    )
  }

  #drop(why: Drop): void {
    this.#socket.close()
    this.#end(why)
  }

  #end(why: Drop | OperatorError): void {
    if (this.#release()) this.#events.ended(why)
  }

  /** @returns whether this was the end; false where it had ended before */
  #release(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#cancelLogin()
    this.#cancelKeepalive()
    this.#cancelSilence()
    for (const settle of this.#pending.values()) settle({ result: "lost" })
    return true
  }

  #warnOnce(message: string): void {
    if (this.#warned.size >= MAX_WARNINGS || this.#warned.has(message)) return
    this.#warned.add(message)
    this.#log.warn(message)
  }

  /** A pool may echo what it was sent. */
  #withoutSecrets(text: string): string {
    const { password } = this.#credentials
    return password.length > 3 ? text.replaceAll(password, "***") : text
  }
}
