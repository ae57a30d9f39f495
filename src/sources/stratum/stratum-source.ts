/**
 * A Stratum pool as a `JobSource`: logs in, again after every loss, hands over the pool's jobs and sends it shares. A
 * share that was not answered before the connection ended is sent once more if the pool still has its job.
 */
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { type Acceptance, newAcceptance, whyNotFinal } from "../acceptance.ts"
import { Backoff, type BackoffOptions, doublingBackoff, WORKED_MS } from "../backoff.ts"
import type { Credential } from "../credential.ts"
import { type HeldSeal, HeldSeals, isBelowTarget } from "../held-seals.ts"
import {
  isSameJob,
  type Job,
  type JobSource,
  type Seal,
  type SourceEvents,
  targetOfJob,
  type Verdict,
} from "../source.ts"
import { blamesAge, blamesRepetition, endsLogin, type StratumJob, type WireId } from "./messages.ts"
import { type Answer, type Credentials, StratumSession } from "./session.ts"
import type { Connect, Drop } from "./socket.ts"

export interface StratumOptions {
  /** `stratum+tcp://host:port` */
  readonly name: string
  /** The result of `connectTo`; tests pass their own. */
  readonly connect: Connect
  /** Called before each login, since a file may have changed; may throw an OperatorError. */
  readonly credentials: () => Credentials
  /** The pin that `connect` checks, and the password of `credentials`: their files may be renewed. */
  readonly pin?: Credential | undefined
  readonly password?: Credential
  readonly clock: Clock
  readonly log: Log
  /** Uniform in 0 … 1, for the back-off's jitter. */
  readonly random?: () => number
  readonly acceptance?: Acceptance
}

/** Login rejections in a row after which the pool counts as down, or the login as wrong. */
const MAX_REJECTIONS = 3
/** Refused shares in a row after which the pool counts as down. */
const MAX_REFUSALS = 5
/** Silences in a row after which the pool counts as down. */
const MAX_SILENCES = 2
/** Attempts to log in again, on the same connection and then on a new one, after which the pool counts as down. */
const MAX_LOGINS = 2
/** Jobs of a session whose shares the pool may still accept (`clean_jobs: false`). */
const MAX_OPEN_JOBS = 8

/** For a pool that can be reached and refuses: a ban may pass, a pin may be renewed. */
const downBackoff: BackoffOptions = { firstMs: 10_000, capMs: 300_000, steady: 1, jitter: 0.25 }

export function createStratumSource(options: StratumOptions): JobSource {
  return new StratumSource(options)
}

interface OpenJob {
  readonly job: Job
  readonly wireId: WireId
}

class StratumSource implements JobSource {
  readonly name: string
  readonly #options: StratumOptions
  readonly #acceptance: Acceptance
  readonly #backoff: Backoff
  readonly #downBackoff: Backoff
  readonly #held: HeldSeals
  #events: SourceEvents | undefined
  #session: StratumSession | undefined
  #cancelRetry = () => {}
  #cancelWorked: (() => void) | undefined
  /** Newest first; empty while no job is known on this connection. */
  #open: OpenJob[] = []
  #online = false
  #rejections = 0
  #refusals = 0
  #silences = 0
  /** Consecutive logins that ended without an accepted share in between. */
  #logins = 0
  /** Increases with every login that the pool answers. */
  #loginNumber = 0

  constructor(options: StratumOptions) {
    const { name, log, random = Math.random, acceptance = newAcceptance() } = options
    this.name = name
    this.#options = options
    this.#acceptance = acceptance
    this.#backoff = new Backoff(doublingBackoff, random)
    this.#downBackoff = new Backoff(downBackoff, random)
    this.#held = new HeldSeals(log)
  }

  start(events: SourceEvents): void {
    this.#events = events
    this.#connect()
  }

  submit(seal: Seal): Promise<Verdict> {
    if (!this.#events) return Promise.resolve({ result: "stale" })
    if (!this.#online) return this.#held.hold(seal)
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    void this.#send({ seal, sentBefore: false, settle: resolve })
    return promise
  }

  async close(): Promise<void> {
    this.#events = undefined
    this.#cancelRetry()
    this.#stopProving()
    this.#session?.close()
    this.#session = undefined
    this.#held.discardAll()
  }

  #connect(): void {
    try {
      this.#session = this.#openSession()
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      // A file that is unreadable just now may be about to be renewed.
      this.#retry({ reason: "rejected", message: error.message })
    }
  }

  #openSession(): StratumSession {
    const { connect, credentials, clock, log } = this.#options
    return new StratumSession(connect, credentials(), clock, log, {
      loggedIn: () => {
        this.#rejections = 0
        this.#loginNumber++
        this.#events?.connected(this.name)
      },
      job: (job, clean) => this.#take(job, clean),
      loginEnded: reason => this.#loginEnded(reason),
      ended: end => this.#ended(end),
    })
  }

  #take(wire: StratumJob | null, clean: boolean): void {
    if (clean) this.#open = []
    if (!wire) {
      this.#stopProving()
      this.#events?.noJob()
      return
    }
    const job = this.#jobOf(wire)
    const others = this.#open.filter(open => !isSameJob(open.job, job))
    this.#open = [{ job, wireId: wire.wireId }, ...others].slice(0, MAX_OPEN_JOBS)
    this.#online = true
    this.#cancelWorked ??= this.#options.clock.after(WORKED_MS, () => this.#backoff.reset())
    this.#events?.job(job)
    for (const held of this.#held.takeFor(job)) void this.#send(held)
  }

  /** The connection has worked once it has had a job for a while: that time begins again. */
  #stopProving(): void {
    this.#cancelWorked?.()
    this.#cancelWorked = undefined
  }

  #jobOf({ id, header, difficulty, target, extranonce }: StratumJob): Job {
    return {
      id,
      source: this.name,
      header,
      difficulty,
      ...(target !== undefined && { target }),
      prefix: extranonce,
      afterSeal: "continue",
      receivedAt: this.#options.clock.now(),
    }
  }

  async #send(held: HeldSeal): Promise<void> {
    const { seal, sentBefore, settle } = held
    const open = this.#open.find(({ job }) => isSameJob(job, seal.job))
    const isTaken = open && (sentBefore ? isRepeatable(seal, open.job) : isBelowTarget(seal, open.job))
    if (!isTaken) {
      settle({ result: sentBefore ? "lost" : "stale" })
      return
    }
    const login = this.#loginNumber
    const answer = await this.#session!.submit(open.wireId, seal.nonce, seal.hash)
    this.#answered(held, answer, login)
  }

  /** @param login the number of the login that the share was sent with */
  #answered(held: HeldSeal, answer: Answer, login: number): void {
    const { seal, sentBefore, settle } = held
    switch (answer.result) {
      case "accepted":
        this.#accepted()
        settle({ result: "accepted" })
        break
      case "lost":
        settle({ result: "lost" })
        break
      case "unanswered":
        if (this.#events && !sentBefore) this.#held.add({ ...held, sentBefore: true })
        else settle({ result: "lost" })
        break
      case "rejected":
        if (sentBefore && blamesRepetition(answer.reason)) {
          this.#accepted()
          settle({ result: "accepted" })
        } else if (endsLogin(answer.reason) && this.#events) {
          // The answer may come after the next login, which it does not concern.
          if (this.#online && login !== this.#loginNumber) void this.#send(held)
          else this.#shareWaitsForLogin(held, answer.reason)
        } else {
          settle(answer)
          this.#refused(seal, answer.reason)
        }
    }
  }

  #accepted(): void {
    this.#refusals = this.#silences = this.#logins = 0
    this.#acceptance.hadSeal = true
    this.#backoff.reset()
    this.#downBackoff.reset()
  }

  /** A share of a job that has been replaced meanwhile was just late. */
  #refused(seal: Seal, reason: string): void {
    if (blamesAge(reason) && !this.#open.some(({ job }) => isSameJob(job, seal.job))) return
    if (++this.#refusals >= MAX_REFUSALS) {
      this.#countAsDown("rejected", `the pool refused ${MAX_REFUSALS} shares in a row: ${reason}`)
    }
  }

  #shareWaitsForLogin(held: HeldSeal, reason: string): void {
    this.#held.add(held)
    // Several shares may be answered so, of which the first has acted.
    if (this.#online) this.#loginEnded(reason)
  }

  /** The pool no longer knows this login, though the connection is there. */
  #loginEnded(reason: string): void {
    this.#online = false
    this.#open = []
    this.#stopProving()
    const message = `the pool no longer accepts this login: ${reason}`
    this.#logins++
    if (this.#logins === 1) {
      this.#options.log.warn(`${message}; logging in again`)
      this.#session!.login()
    } else if (this.#logins > MAX_LOGINS) {
      this.#countAsDown("rejected", message)
    } else {
      this.#leave()
      this.#retry({ reason: "rejected", message })
    }
  }

  #ended(end: Drop | OperatorError): void {
    this.#leave()
    if (end instanceof OperatorError) this.#pinRejected(end)
    else this.#dropped(end)
  }

  #pinRejected(error: OperatorError): void {
    const hope = whyNotFinal(this.#options.pin, this.#acceptance)
    if (hope === undefined) this.#fail(error)
    else this.#retry({ reason: "rejected", message: `${error.message}; ${hope}` }, this.#downBackoff)
  }

  #dropped(drop: Drop): void {
    if (this.#isLoginRejected(drop)) this.#loginRejected(drop)
    else if (drop.silent && ++this.#silences >= MAX_SILENCES) this.#countAsDown(drop.reason, drop.message)
    else if (this.#isLockedOut(drop)) this.#countAsDown(drop.reason, drop.message)
    else this.#retry(drop)
  }

  /** Whether this is one of several consecutive rejections that blame the login. */
  #isLoginRejected({ reason, message }: Drop): boolean {
    this.#rejections = reason === "rejected" && blamesLogin(message) ? this.#rejections + 1 : 0
    return this.#rejections >= MAX_REJECTIONS
  }

  #loginRejected({ reason, message }: Drop): void {
    const { password } = this.#options
    const hope = whyNotFinal(/password/i.test(message) ? password : undefined, this.#acceptance)
    const problem = `${this.name}: ${message}; check --login and --password`
    if (hope === undefined) this.#fail(new OperatorError(problem, ExitCode.rejected))
    else this.#countAsDown(reason, `${message}; ${hope}`)
  }

  #fail(error: OperatorError): void {
    this.#held.discardAll()
    this.#events?.failed(error)
  }

  #leave(): void {
    this.#session?.close()
    this.#session = undefined
    this.#online = false
    this.#open = []
    this.#stopProving()
  }

  #countAsDown(reason: Drop["reason"], message: string): void {
    this.#leave()
    this.#refusals = this.#silences = this.#logins = this.#rejections = 0
    this.#retry({ reason, message }, this.#downBackoff)
    this.#events?.unusable?.(message, this.name)
  }

  #retry({ reason, message }: Drop, backoff = this.#backoff): void {
    const retryIn = backoff.next()
    this.#cancelRetry()
    this.#cancelRetry = this.#options.clock.after(retryIn, () => this.#connect())
    this.#events?.disconnected(reason, message, retryIn, this.name)
  }

  /** Whether the login that ended is rejected again and again. */
  #isLockedOut({ reason }: Drop): boolean {
    return reason === "rejected" && this.#logins > 0 && ++this.#logins > MAX_LOGINS
  }
}

/** Whether a share that was sent before may be sent again: the pool compares it with the same target. */
const isRepeatable = (seal: Seal, job: Job): boolean => targetOfJob(seal.job) === targetOfJob(job)

/** Whether a rejection is about who logs in, and will not pass. */
function blamesLogin(message: string): boolean {
  if (/\bban|block|too many|limit|later|temporar|maintenance/i.test(message)) return false
  const wrong = /invalid|wrong|bad|unknown|malformed|missing|incorrect|unauthori[sz]ed|not (a )?valid|not found/i
  return wrong.test(message) && /address|wallet|login|user|account|password|worker/i.test(message)
}
