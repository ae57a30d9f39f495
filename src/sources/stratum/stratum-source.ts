/**
 * A Stratum pool as a `JobSource`: logs in, again after every loss, hands over the pool's jobs and sends it shares,
 * each once. A share without an answer is lost: the pool may have taken it, so it is never sent again.
 */
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { Backoff, doublingBackoff } from "../backoff.ts"
import type { Job, JobSource, Seal, SourceEvents, Verdict } from "../source.ts"
import type { StratumJob } from "./messages.ts"
import { type Credentials, StratumSession } from "./session.ts"
import type { Connect, Drop } from "./socket.ts"

export interface StratumOptions {
  /** `stratum+tcp://host:port` */
  readonly name: string
  /** Of `connectTo`; tests hand in their own. */
  readonly connect: Connect
  /** Asked before each login, so that what lies in a file may change; may throw an OperatorError. */
  readonly credentials: () => Credentials
  readonly clock: Clock
  readonly log: Log
  /** Uniform in 0 … 1, for the back-off's jitter. */
  readonly random?: () => number
}

/** Rejections in a row, each naming the login itself, after which another attempt is pointless. */
const MAX_REJECTIONS = 3
/** Jobs of a session that the pool may still take shares of (`clean_jobs: false`). */
const MAX_OPEN_JOBS = 8
/** Shares that wait for the connection's return; more are of no use to a pool whose job has moved on. */
const MAX_HELD = 64

export function createStratumSource(options: StratumOptions): JobSource {
  return new StratumSource(options)
}

interface Held {
  readonly seal: Seal
  readonly settle: (verdict: Verdict) => void
}

class StratumSource implements JobSource {
  readonly #options: StratumOptions
  readonly name: string
  readonly #backoff: Backoff
  #events: SourceEvents | undefined
  #session: StratumSession | undefined
  #cancelRetry = () => {}
  #open: StratumJob[] = []
  #held: Held[] = []
  #online = false
  #rejections = 0

  constructor(options: StratumOptions) {
    this.#options = options
    this.name = options.name
    this.#backoff = new Backoff(doublingBackoff, options.random ?? Math.random)
  }

  start(events: SourceEvents): void {
    this.#events = events
    this.#connect()
  }

  async submit(seal: Seal): Promise<Verdict> {
    if (!this.#events) return { result: "stale" }
    if (!this.#online) return this.#hold(seal)
    const job = this.#open.find(open => isJobOf(seal, open))
    return job ? await this.#session!.submit(job.id, seal.nonce, seal.hash) : { result: "stale" }
  }

  async close(): Promise<void> {
    this.#events = undefined
    this.#cancelRetry()
    this.#session?.close()
    this.#session = undefined
    this.#settleHeld({ result: "stale" })
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
        this.#events?.connected(this.name)
      },
      job: (job, clean) => this.#take(job, clean),
      ended: why => this.#ended(why),
    })
  }

  #take(wire: StratumJob | null, clean: boolean): void {
    if (clean) this.#open = []
    if (!wire) {
      this.#events?.noJob()
      return
    }
    this.#open = [wire, ...this.#open].slice(0, MAX_OPEN_JOBS)
    this.#online = true
    this.#backoff.reset()
    this.#events?.job(this.#jobOf(wire))
    this.#sendHeld()
  }

  #jobOf({ id, header, difficulty, extranonce }: StratumJob): Job {
    return {
      id,
      source: this.name,
      header,
      difficulty,
      prefix: extranonce,
      afterSeal: "continue",
      receivedAt: this.#options.clock.now(),
    }
  }

  #ended(why: Drop | OperatorError): void {
    this.#session = undefined
    this.#online = false
    this.#open = []
    const permanent = why instanceof OperatorError ? why : this.#rejectedForGood(why)
    if (permanent) {
      this.#settleHeld({ result: "stale" })
      this.#events?.failed(permanent)
    } else {
      this.#retry(why as Drop)
    }
  }

  #retry({ reason, message }: Drop): void {
    const retryIn = this.#backoff.next()
    this.#cancelRetry = this.#options.clock.after(retryIn, () => this.#connect())
    this.#events?.disconnected(reason, message, retryIn, this.name)
  }

  #rejectedForGood({ reason, message }: Drop): OperatorError | undefined {
    this.#rejections = reason === "rejected" && blamesLogin(message) ? this.#rejections + 1 : 0
    if (this.#rejections < MAX_REJECTIONS) return undefined
    return new OperatorError(`${this.name}: ${message}. Check --login and --password.`, ExitCode.rejected)
  }

  #hold(seal: Seal): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    this.#held.push({ seal, settle: resolve })
    if (this.#held.length > MAX_HELD) this.#held.shift()!.settle({ result: "stale" })
    return promise
  }

  #sendHeld(): void {
    const held = this.#held
    this.#held = []
    for (const { seal, settle } of held) void this.submit(seal).then(settle)
  }

  #settleHeld(verdict: Verdict): void {
    for (const { settle } of this.#held) settle(verdict)
    this.#held = []
  }
}

/** A pool's job is what its fields say: the same ones after a reconnect are the same job. */
function isJobOf({ job }: Seal, open: StratumJob): boolean {
  return job.id === open.id && equal(job.header, open.header) && equal(job.prefix, open.extranonce)
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Whether a rejection is about who logs in, not about the pool's state. */
function blamesLogin(message: string): boolean {
  const wrong = /invalid|wrong|bad|unknown|malformed|missing|incorrect|unauthori[sz]ed|not (a )?valid|not found/i
  return wrong.test(message) && /address|wallet|login|user|account|password|worker/i.test(message)
}
