/**
 * A node, or a pool that speaks the node's protocol, as a `JobSource`. The certificate is checked before the token is
 * sent. While the node is silent, a second connection is dialed in parallel and the one that answers is kept: the loss
 * of a node costs one second, whether or not the node closed the connection.
 */
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { type Acceptance, newAcceptance, whyNotFinal } from "../acceptance.ts"
import { WORKED_MS } from "../backoff.ts"
import type { Credential } from "../credential.ts"
import { HeldSeals, isBelowTarget } from "../held-seals.ts"
import { matchesPin } from "../pin.ts"
import { isSameJob, type Job, type JobSource, type Seal, type SourceEvents, type Verdict } from "../source.ts"
import { Connection, type JobMessage } from "./connection.ts"
import { Dialer, type Occasion, type Receiver } from "./dial.ts"
import { completedMessage, failedMessage, fitsFrame, readyMessage } from "./messages.ts"
import type { Resolve } from "./resolve.ts"
import { SentNonces } from "./sent-nonces.ts"
import type { Session, SessionEnd, Transport } from "./transport.ts"

export interface QuicSourceOptions {
  /** `quic://host:port` */
  readonly name: string
  /** A host name or an IP address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  readonly token: Credential
  /** SHA-256 of the node's certificate, 64 lower-case hex digits. */
  readonly pin: Credential
  /** Continues to search a job after a seal, for pools that do not resend the job. */
  readonly keepMining: boolean
  readonly transport: Transport
  readonly resolve: Resolve
  readonly clock: Clock
  readonly log: Log
  /** Uniform in 0 … 1, for jitter. */
  readonly random?: () => number
  readonly acceptance?: Acceptance
}

/** A close within this time after `Ready` means that the token was rejected. */
const VERDICT_MS = 2000
/** Consecutive rejections of the token after which the source fails. */
const MAX_REFUSALS = 3
/** Maximum number of written seals that await a sign of their arrival. */
const MAX_WAITING = 64
/** Maximum number of different warnings, each logged once. */
const MAX_WARNINGS = 16

interface Current {
  readonly job: Job
  /** The connection that sent the job; it may have ended. */
  readonly from: Connection
  /** Nonces sent for the job, over this and earlier connections. */
  readonly sent: SentNonces
  sealed: boolean
}

/** A written seal; in doubt until a later datagram is received. */
interface Written {
  readonly seal: Seal
  readonly bytesReceived: bigint
}

export function createQuicSource(options: QuicSourceOptions): JobSource {
  return new QuicSource(options)
}

class QuicSource implements JobSource {
  readonly #options: QuicSourceOptions
  readonly name: string
  readonly #dialer: Dialer
  readonly #held: HeldSeals
  readonly #acceptance: Acceptance
  readonly #warned = new Set<string>()
  #events: SourceEvents | undefined
  #connection: Connection | undefined
  #confirmed = false
  #cancelConfirmation = () => {}
  /** The connection has had a job for a while, or a seal was sent over it. */
  #worked = false
  /** Runs while the connection has a job, until it has worked. */
  #cancelWorked: (() => void) | undefined
  #refusals = 0
  #current: Current | undefined
  #written: Written[] = []

  constructor(options: QuicSourceOptions) {
    this.#options = options
    this.name = options.name
    this.#acceptance = options.acceptance ?? newAcceptance()
    this.#held = new HeldSeals(options.log)
    this.#dialer = new Dialer(
      { ...options, random: options.random ?? Math.random },
      {
        opened: (session, certificate) => this.#opened(session, certificate),
        failed: (end, retryIn) => {
          if (!this.#connection) this.#events?.disconnected(end.reason, end.message, retryIn, this.name)
        },
      },
    )
  }

  start(events: SourceEvents): void {
    this.#events = events
    this.#dialer.dial("start")
  }

  submit(seal: Seal): Promise<Verdict> {
    const current = this.#current
    const stale = Promise.resolve<Verdict>({ result: "stale" })
    if (!this.#events || !current || current.sealed || !isSealOf(seal, current.job)) return stale
    if (current.sent.has(seal.nonce)) return stale
    if (current.job.afterSeal === "wait") current.sealed = true
    if (this.#isLive(current)) return Promise.resolve(this.#send(seal))
    return this.#held.hold(seal)
  }

  async close(): Promise<void> {
    this.#events = undefined
    await this.#stop()
  }

  #opened(session: Session, certificate: Uint8Array): Receiver {
    const { token, pin, clock } = this.#options
    const connection = new Connection(session, clock, {
      job: message => this.#take(connection, message),
      ignored: problem => this.#warnOnce(`the node sent ${problem}; such messages are ignored`),
      suspected: () => this.#suspected(),
      recovered: () => this.#recovered(),
      ended: end => this.#lost(end),
    })
    try {
      if (!matchesPin(certificate, pin.read())) {
        connection.close()
        this.#reject(pinError(this.name, pin), pin)
        return connection
      }
      sendReady(connection, token)
      this.#adopt(connection)
    } catch (error) {
      connection.close()
      if (!(error instanceof OperatorError)) throw error
      if (error.exitCode === ExitCode.rejected) this.#reject(error, token)
      else if (this.#connection) this.#dialer.dial("refused")
      else this.#dialAgain("refused", { reason: "rejected", message: error.message })
    }
    return connection
  }

  /** Replaces the connection; a silent one is closed. */
  #adopt(connection: Connection): void {
    if (this.#connection) {
      this.#leave()
      this.#events?.disconnected("timeout", "the node fell silent and answers on a new connection", 0, this.name)
    }
    this.#connection = connection
    this.#cancelConfirmation = this.#options.clock.after(VERDICT_MS, () => this.#confirm())
  }

  /** The node has accepted the token: it did not close the connection, or sent a job. */
  #confirm(): void {
    this.#cancelConfirmation()
    if (this.#confirmed) return
    this.#confirmed = true
    this.#refusals = 0
    this.#events?.connected(this.name)
  }

  #hasWorked(): void {
    this.#cancelWorked?.()
    this.#cancelWorked = undefined
    this.#worked = true
    this.#dialer.worked()
  }

  #suspected(): void {
    this.#options.log.debug("the node is silent, dialing beside the connection")
    this.#dialer.dial("start")
  }

  #recovered(): void {
    this.#dialer.stop()
    if (this.#current && this.#isLive(this.#current)) this.#sendHeld(this.#current.job)
  }

  #lost(end: SessionEnd): void {
    const { clock } = this.#options
    const connection = this.#connection
    const age = connection ? clock.now() - connection.openedAt : 0
    const [confirmed, worked] = [this.#confirmed, this.#worked]
    const refused = connection && !confirmed && end.reason === "closed" && age < VERDICT_MS
    this.#leave()
    if (refused) this.#refused()
    else this.#dialAgain(worked ? "lost" : "refused", end)
  }

  /** A node that does not know the token closes the connection without a reason. */
  #refused(): void {
    // A node that was unreachable in between keeps restarting: its closes do not concern the token.
    this.#refusals = this.#dialer.wasAway ? 1 : this.#refusals + 1
    const { token } = this.#options
    const message = "the node closed the connection right after the token"
    if (this.#acceptance.hadJob) {
      const advice = `, which it has accepted before; if its token has changed, renew ${token.description}`
      this.#dialAgain("refused", { reason: "rejected", message: message + advice })
    } else if (this.#refusals >= MAX_REFUSALS) {
      this.#reject(tokenError(this.name, token), token)
    } else {
      const count = `${this.#refusals} of ${MAX_REFUSALS}`
      this.#dialAgain("refused", { reason: "rejected", message: `${message} (${count})` })
    }
  }

  #dialAgain(occasion: Occasion, { reason, message }: SessionEnd): void {
    const retryIn = this.#dialer.dialing ? this.#dialer.retryIn : this.#dialer.dial(occasion)
    this.#events?.disconnected(reason, message, retryIn, this.name)
  }

  /** Ends the connection; seals in doubt are held for the next one. */
  #leave(): void {
    const connection = this.#connection
    if (!connection) return
    for (const { seal } of this.#inDoubt(connection)) {
      this.#held.add({ seal, sentBefore: true, settle: () => {} })
    }
    this.#written = []
    this.#cancelConfirmation()
    this.#confirmed = false
    this.#cancelWorked?.()
    this.#cancelWorked = undefined
    this.#worked = false
    this.#connection = undefined
    connection.close()
  }

  #take(connection: Connection, message: JobMessage): void {
    if (connection !== this.#connection) return
    this.#acceptance.hadJob = true
    this.#confirm()
    if (message.kind === "badJob") {
      this.#warnOnce(`the node sent a job that cannot be mined: ${message.problem}; such jobs are answered "failed"`)
      connection.send(failedMessage(message.id))
      this.#cancelWorked?.()
      this.#cancelWorked = undefined
      this.#held.discardAll()
      if (this.#current) this.#events?.noJob()
      this.#current = undefined
      return
    }
    if (!this.#worked) this.#cancelWorked ??= this.#options.clock.after(WORKED_MS, () => this.#hasWorked())
    const job = this.#jobOf(message)
    const before = this.#current
    const same = before !== undefined && isSameJob(before.job, job)
    if (!same) this.#held.discardAll()
    this.#current = { job, from: connection, sent: same ? before.sent : new SentNonces(), sealed: false }
    if (this.#sendHeld(job) && job.afterSeal === "wait") this.#current.sealed = true
    else this.#events?.job(job)
  }

  #jobOf({ id, header, difficulty }: Extract<JobMessage, { kind: "job" }>): Job {
    return {
      id,
      source: this.name,
      header,
      difficulty,
      prefix: new Uint8Array(),
      afterSeal: this.#options.keepMining ? "continue" : "wait",
      receivedAt: this.#options.clock.now(),
    }
  }

  /**
   * Whether the connection that sent the job is open and answers; after a reconnect the node must send the job first.
   */
  #isLive(current: Current): boolean {
    return current.from === this.#connection && !current.from.suspect
  }

  #send(seal: Seal): Verdict {
    const connection = this.#connection!
    connection.send(completedMessage(seal.job.id, seal.nonce, seal.hashes, seal.seconds))
    this.#current!.sent.add(seal.nonce)
    this.#acceptance.hadSeal = true
    this.#hasWorked()
    this.#written = [...this.#inDoubt(connection), { seal, bytesReceived: connection.bytesReceived }].slice(
      -MAX_WAITING,
    )
    return { result: "sent" }
  }

  #inDoubt(connection: Connection): Written[] {
    return this.#written.filter(({ bytesReceived }) => bytesReceived === connection.bytesReceived)
  }

  /** @returns whether any was sent */
  #sendHeld(job: Job): boolean {
    const held = this.#held.takeFor(job)
    for (const { seal, settle } of held) settle(this.#send(seal))
    return held.length > 0
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= MAX_WARNINGS) return
    this.#warned.add(message)
    this.#options.log.warn(message)
  }

  /** A rejection that is not final is tried again at growing intervals. */
  #reject(error: OperatorError, credential: Credential): void {
    const hope = whyNotFinal(credential, this.#acceptance)
    if (hope === undefined) {
      this.#fail(error)
      return
    }
    const retryIn = this.#dialer.dial("rejected")
    if (this.#connection) return
    this.#events?.disconnected("rejected", `${error.message}; ${hope}`, retryIn, this.name)
  }

  #fail(error: OperatorError): void {
    const events = this.#events
    this.#events = undefined
    this.#stop()
    events?.failed(error)
  }

  async #stop(): Promise<void> {
    this.#dialer.stop()
    const connection = this.#connection
    this.#leave()
    this.#current = undefined
    this.#held.discardAll()
    await connection?.close()
    await this.#options.transport.close()
  }
}

/** Whether `seal` is a seal of `job`, whose difficulty may have changed since the seal was found. */
const isSealOf = (seal: Seal, job: Job): boolean => isSameJob(seal.job, job) && isBelowTarget(seal, job)

function sendReady(connection: Connection, token: Credential): void {
  const message = readyMessage(token.read())
  if (!fitsFrame(message)) {
    throw new OperatorError(`${token.description} is too long for the protocol: copy it again`, ExitCode.rejected)
  }
  connection.send(message)
}

function pinError(name: string, pin: Credential): OperatorError {
  return new OperatorError(
    `${name} presents a certificate other than the one pinned by ${pin.description}: copy miner-tls-cert-sha256 from the ` +
      "node again (it changes when the node's certificate is renewed), and if it has not changed, do not trust this host",
    ExitCode.rejected,
  )
}

function tokenError(name: string, token: Credential): OperatorError {
  return new OperatorError(
    `${name} rejects ${token.description}: copy miner-auth-token from the node again`,
    ExitCode.rejected,
  )
}
