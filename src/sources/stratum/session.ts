/** One connection to a pool, from its login to its end: matches answers to requests and notices silence. */
import type { Clock } from "../../clock.ts"
import type { OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { LineReader, LineTooLong } from "./lines.ts"
import {
  endsLogin,
  type Fields,
  isKeepalive,
  keepaliveLine,
  loginLine,
  MalformedMessage,
  messagesOf,
  type PoolMessage,
  parseJob,
  parseLoginResult,
  printable,
  readMessage,
  type StratumJob,
  shareVerdict,
  submitLine,
  UnreadableLine,
  type WireId,
} from "./messages.ts"
import { SilenceWatch } from "./silence.ts"
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
  /** The pool's newest job, null if it has none. `clean`: shares of earlier jobs are no longer accepted. */
  job(job: StratumJob | null, clean: boolean): void
  /** The pool no longer knows the login, as it says without refusing a share. */
  loginEnded(reason: string): void
  /** Once, last, unless `close` was called. */
  ended(end: Drop | OperatorError): void
}

/** `unanswered`: the connection ended first. `lost`: the pool sent other messages, but no answer within 30 s. */
export type Answer =
  | { readonly result: "accepted" | "unanswered" | "lost" }
  | { readonly result: "rejected"; readonly reason: string }

/** Maximum time for connecting, TLS and the login together. */
const LOGIN_TIMEOUT_MS = 15_000
const KEEPALIVE_MS = 30_000
/** A pool that announced `keepalive` must answer within this time. */
const KEEPALIVE_ANSWER_MS = 15_000
const ANSWER_TIMEOUT_MS = 30_000
const LOOK_EVERY_MS = 1000
/** Jobs in a row with a lower `seq` that are ignored. */
const MAX_OUT_OF_ORDER = 2
/** Unreadable lines in a row that end the connection. */
const MAX_UNREADABLE = 3
const SHOWN_CHARACTERS = 80
/** Different warnings about a pool's messages, per session. */
const MAX_WARNINGS = 8
/** Requests that may still be answered; older ones are forgotten. */
const MAX_OUTSTANDING = 1024

interface Session {
  readonly id: WireId | undefined
}

interface Request {
  readonly kind: "login" | "keepalive" | "share"
  /** The login that it was sent with. */
  readonly session: Session | undefined
  readonly sentAt: number
  /** Undefined once a share has its verdict: a late answer still belongs to it. */
  settle: ((answer: Answer) => void) | undefined
}

export class StratumSession {
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #log: Log
  readonly #events: SessionEvents
  readonly #socket: Socket
  readonly #lines = new LineReader()
  /** By id, the oldest first. */
  readonly #outstanding = new Map<string, Request>()
  readonly #warned = new Set<string>()
  readonly #silence: SilenceWatch
  readonly #stopLooking: () => void
  #cancelLogin = () => {}
  #cancelKeepalive = () => {}
  #cancelKeepaliveAnswer = () => {}
  /** Undefined until the login is answered. */
  #session: Session | undefined
  #refusesKeepalive = false
  /** A refused `keepalived` ended the login, and none has been answered since. */
  #doubtsKeepalive = false
  /** A job that came before the login was answered. */
  #early: Extract<PoolMessage, { kind: "job" }> | undefined
  /** For jobs without one. */
  #extranonce: unknown
  #sequence: bigint | undefined
  /** Jobs in a row that were ignored for their `seq`. */
  #outOfOrder = 0
  /** The login's answer had no id: this pool answers in order. */
  #answersInOrder = false
  #lastId = 0
  #hadLine = false
  #unreadable = 0
  #ended = false

  /** @throws OperatorError if `connect` does */
  constructor(connect: Connect, credentials: Credentials, clock: Clock, log: Log, events: SessionEvents) {
    this.#credentials = credentials
    this.#clock = clock
    this.#log = log
    this.#events = events
    this.#silence = new SilenceWatch(clock)
    this.#socket = connect({
      open: () => this.login(),
      data: chunk => this.#receive(chunk),
      closed: end => this.#end(end),
    })
    this.#expectLogin()
    this.#stopLooking = clock.every(LOOK_EVERY_MS, () => this.#look())
  }

  /** Logs in, again if the pool no longer knows this login. Shares can be submitted after `loggedIn`. */
  login(): void {
    const { login, password, agent } = this.#credentials
    if (this.#session !== undefined) this.#expectLogin()
    this.#session = undefined
    this.#write("login", id => loginLine(id, login, password, agent))
  }

  /** @param nonce 64 bytes @param hash 64 bytes */
  submit(jobId: WireId, nonce: Uint8Array, hash: Uint8Array): Promise<Answer> {
    const session = this.#session
    if (this.#ended || session === undefined) return Promise.resolve({ result: "unanswered" })
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#write("share", id => submitLine(id, session.id, jobId, nonce, hash), resolve)
    return promise
  }

  /** Closes the connection; shares in flight are unanswered, and no event follows. */
  close(): void {
    if (this.#release()) this.#socket.close()
  }

  #expectLogin(): void {
    this.#cancelLogin()
    this.#cancelLogin = this.#clock.after(LOGIN_TIMEOUT_MS, () => {
      const message = `no login within ${LOGIN_TIMEOUT_MS / 1000} s${this.#socket.hint?.() ?? ""}`
      this.#drop({ reason: "timeout", message })
    })
  }

  #write(kind: Request["kind"], lineOf: (id: number) => string, settle?: (answer: Answer) => void): void {
    const id = ++this.#lastId
    this.#outstanding.set(String(id), { kind, session: this.#session, sentAt: this.#clock.now(), settle })
    if (this.#outstanding.size > MAX_OUTSTANDING) {
      const [oldest, request] = this.#outstanding.entries().next().value!
      request.settle?.({ result: "lost" })
      this.#outstanding.delete(oldest)
    }
    this.#socket.write(lineOf(id))
  }

  #receive(chunk: Uint8Array): void {
    this.#silence.heard()
    this.#cancelKeepaliveAnswer()
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
    const first = !this.#hadLine
    this.#hadLine = true
    try {
      const messages = messagesOf(text)
      this.#unreadable = 0
      for (const message of messages) if (!this.#ended) this.#handle(message)
    } catch (error) {
      if (!(error instanceof UnreadableLine)) throw error
      this.#unreadableLine(text, first)
    }
  }

  #unreadableLine(text: string, first: boolean): void {
    const shown = this.#withoutSecrets(printable(text, SHOWN_CHARACTERS))
    if (first || ++this.#unreadable >= MAX_UNREADABLE) {
      this.#drop({ reason: "protocol", message: `the peer does not speak Stratum, it sent: ${shown}` })
    } else {
      this.#warnOnce(`ignored an unreadable line of the pool: ${shown}`)
    }
  }

  #handle(fields: Fields): void {
    try {
      this.#take(readMessage(fields))
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      this.#warnOnce(`ignored a message of the pool: ${error.message}`)
    }
  }

  #take(message: PoolMessage): void {
    if (message.kind === "answer") this.#answered(message)
    else if (message.kind === "unknown") this.#warnOnce(`ignored a message of the pool: ${message.method}`)
    else if (this.#session === undefined) this.#early = message
    else this.#takeJob(message.job, message.clean)
  }

  #answered({ id, result, error }: Extract<PoolMessage, { kind: "answer" }>): void {
    const request = isKeepalive(result) ? this.#takeKeepalive(id) : this.#takeRequest(id)
    if (request?.kind === "login") {
      this.#answersInOrder = id === undefined
      this.#loginAnswered(result, error)
    } else if (request?.kind === "keepalive") this.#keepaliveAnswered(request, error)
    else if (request?.kind === "share") this.#shareAnswered(request, result, error)
    else if (error !== undefined && this.#session === undefined) this.#loginAnswered(result, error)
    else if (error !== undefined) this.#errorReported(id, this.#withoutSecrets(error))
  }

  /** An error that answers no particular request. */
  #errorReported(id: string | undefined, error: string): void {
    if (id !== undefined || !endsLogin(error)) {
      this.#log.warn(`the pool reports: ${error}`)
      return
    }
    // It may concern any share in flight: each waits for the next login.
    for (const request of this.#outstanding.values()) {
      request.settle?.({ result: "unanswered" })
      request.settle = undefined
    }
    this.#events.loginEnded(error)
  }

  /** @returns the request of this id; without an id, the only outstanding one, or the oldest of a pool that gives none */
  #takeRequest(id: string | undefined): Request | undefined {
    const isClear = this.#outstanding.size === 1 || (this.#answersInOrder && this.#outstanding.size > 0)
    const key = id ?? (isClear ? this.#outstanding.keys().next().value! : undefined)
    const request = key === undefined ? undefined : this.#outstanding.get(key)
    if (request) this.#outstanding.delete(key!)
    return request
  }

  /** `KEEPALIVED` answers the oldest ping, never a share or a login. */
  #takeKeepalive(id: string | undefined): undefined {
    const isPing = (key: string | undefined) => key !== undefined && this.#outstanding.get(key)?.kind === "keepalive"
    const key = isPing(id) ? id : [...this.#outstanding.keys()].find(isPing)
    if (key !== undefined) this.#outstanding.delete(key)
    this.#doubtsKeepalive = false
  }

  #shareAnswered({ settle }: Request, result: unknown, error: string | undefined): void {
    const verdict = error === undefined ? shareVerdict(result) : error
    settle?.(verdict === true ? { result: "accepted" } : { result: "rejected", reason: this.#withoutSecrets(verdict) })
  }

  #keepaliveAnswered({ session }: Request, error: string | undefined): void {
    if (error === undefined) {
      this.#doubtsKeepalive = false
      return
    }
    // The answer may come after the next login, which it does not concern.
    if (session !== this.#session) return
    const reason = this.#withoutSecrets(error)
    if (endsLogin(error) && !this.#doubtsKeepalive) {
      this.#doubtsKeepalive = true
      this.#events.loginEnded(reason)
      return
    }
    this.#log.info(`the pool rejected keepalived (${reason}), which is no longer sent`)
    this.#refusesKeepalive = true
    this.#cancelKeepalive()
  }

  #loginAnswered(result: unknown, error: string | undefined): void {
    if (error !== undefined) {
      this.#drop({ reason: "rejected", message: `the pool rejects the login: ${this.#withoutSecrets(error)}` })
      return
    }
    try {
      const login = parseLoginResult(result)
      this.#session = { id: login.session }
      this.#extranonce = login.extranonce
      this.#cancelLogin()
      this.#cancelKeepalive()
      if (login.keepalive && !this.#refusesKeepalive) {
        this.#cancelKeepalive = this.#clock.every(KEEPALIVE_MS, () => this.#keepalive())
      }
      this.#events.loggedIn()
      this.#takeFirstJobs(login.job)
    } catch (failure) {
      if (!(failure instanceof MalformedMessage)) throw failure
      this.#drop({ reason: "protocol", message: failure.message })
    }
  }

  /** In the order of their arrival: a job that came before the login's answer, then the answer's own. */
  #takeFirstJobs(job: unknown): void {
    const early = this.#early
    this.#early = undefined
    if (early) this.#takeJob(early.job, early.clean)
    if (job !== null && !this.#ended) this.#takeJob(job, true)
  }

  #takeJob(value: unknown, clean: boolean): void {
    const job = this.#usable(value)
    const last = this.#sequence
    if (job?.sequence !== undefined && last !== undefined && job.sequence < last) {
      // Jobs overtake each other by one or two; a pool that counts anew does not return to the old numbers.
      if (++this.#outOfOrder <= MAX_OUT_OF_ORDER) {
        this.#log.debug(`ignored job ${printable(job.id)}: its seq ${job.sequence} is lower than ${last}`)
        return
      }
      this.#warnOnce(`the seq of the pool's jobs began again: ${job.sequence} follows ${last}`)
    }
    this.#outOfOrder = 0
    if (job) this.#sequence = job.sequence ?? last
    this.#silence.jobArrived()
    this.#events.job(job, clean)
  }

  /** A job that cannot be read still ends the one before it: the pool has moved on. */
  #usable(value: unknown): StratumJob | null {
    if (value === null) return null
    try {
      return parseJob(value, this.#extranonce)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      this.#warnOnce(`cannot use the pool's job: ${error.message}`)
      return null
    }
  }

  #keepalive(): void {
    const session = this.#session
    if (session === undefined) return
    this.#write("keepalive", id => keepaliveLine(id, session.id))
    this.#cancelKeepaliveAnswer()
    this.#cancelKeepaliveAnswer = this.#clock.after(KEEPALIVE_ANSWER_MS, () =>
      this.#dropSilent(`no answer to keepalived within ${KEEPALIVE_ANSWER_MS / 1000} s`),
    )
  }

  /** Notices silence, and shares that a pool which still talks does not answer. */
  #look(): void {
    const now = this.#clock.now()
    const waiting = [...this.#outstanding.values()].filter(({ settle }) => settle)
    const silent = this.#silence.problem(waiting[0]?.sentAt)
    if (silent !== undefined && this.#session !== undefined) {
      this.#dropSilent(silent)
      return
    }
    if (this.#silence.isSuspect) return
    for (const request of waiting) {
      if (now - request.sentAt < ANSWER_TIMEOUT_MS) break
      request.settle?.({ result: "lost" })
      request.settle = undefined
    }
  }

  #dropSilent(message: string): void {
    this.#drop({ reason: "timeout", message, silent: true })
  }

  #drop(end: Drop): void {
    this.#socket.close()
    this.#end(end)
  }

  #end(end: Drop | OperatorError): void {
    if (this.#release()) this.#events.ended(end)
  }

  /** @returns whether this was the end; false if it had ended before */
  #release(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#cancelLogin()
    this.#cancelKeepalive()
    this.#cancelKeepaliveAnswer()
    this.#stopLooking()
    for (const { settle } of this.#outstanding.values()) settle?.({ result: "unanswered" })
    this.#outstanding.clear()
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
