/**
 * Dials a node until a connection opens. An absent node sends no refusal, only silence, so a round begins every 1.5 s:
 * it starts a handshake with every address of the host in place of the unanswered one before it. The runtime repeats a
 * handshake's first datagram in between, so a node is reached within a second of its return. After ten minutes of silence
 * the interval doubles up to 30 s.
 *
 * A node admits few handshakes at a time (32), refuses the others, and keeps the place of one whose miner falls silent for
 * 10 s. Therefore a miner has one handshake with an address at a time, closes it when it gives it up, and returns after 2
 * to 5 s, at random, if it was refused because no place was left. If the node refuses for another reason, or closes
 * connections before they have worked, the wait is 1 s, doubling up to 30 s.
 */
import type { Clock } from "../../clock.ts"
import { Backoff, type BackoffOptions, doublingBackoff } from "../backoff.ts"
import type { Resolve } from "./resolve.ts"
import type { PeerAddress, Session, SessionEnd, Transport } from "./transport.ts"

/** A round every 1.5 s for ten minutes, in which most nodes restart. */
const silentBackoff: BackoffOptions = { firstMs: 1500, capMs: 30_000, steady: 400, jitter: 0.25 }

/** A node that refuses has too many handshakes at once, as after its restart: its miners spread over 3 s, later over 6 s and more. */
const crowdBackoff: BackoffOptions = { firstMs: 5000, capMs: 30_000, steady: 2, jitter: 0.6 }

/** Maximum duration of a handshake. */
const HANDSHAKE_MS = 3000

/** Every fifth round lets the previous handshake continue, for a node that takes longer than a round to answer. */
const PATIENT_ROUNDS = 5

/** Interval between the addresses of a host (RFC 8305), and how many of them are tried. */
const ADDRESS_GAP_MS = 250
const MAX_ADDRESSES = 4

/** Interval at which a repeated failure is reported again. */
const REPORT_AGAIN_MS = 30_000

/** Takes the data and the end of an open connection. */
export interface Receiver {
  data(chunks: readonly Uint8Array[]): void
  closed(end: SessionEnd): void
}

export interface DialEvents {
  /** The first successful handshake; all others have been closed. @param certificate DER */
  opened(session: Session, certificate: Uint8Array): Receiver
  /** An attempt failed; the next begins in `retryIn` milliseconds. Reported when the reason changes, and every 30 s. */
  failed(end: SessionEnd, retryIn: number): void
}

export interface DialOptions {
  readonly host: string
  readonly port: number
  readonly resolve: Resolve
  readonly transport: Transport
  readonly clock: Clock
  /** Uniform in 0 … 1. */
  readonly random: () => number
}

/**
 * Why dialing begins: the start, the loss of a connection that worked, a refusal (also a connection that did not work), or
 * the rejection of a credential that may be renewed.
 */
export type Occasion = "start" | "lost" | "refused" | "rejected"

/** A rejected credential is renewed by a person: waits of 10 s that double up to 5 min. */
const rejectionBackoff: BackoffOptions = { firstMs: 10_000, capMs: 300_000, steady: 1, jitter: 0.25 }

/** A handshake that has not ended. */
interface Attempt {
  readonly address: PeerAddress
  readonly session: Session
  readonly cancelTimeout: () => void
}

export class Dialer {
  readonly #options: DialOptions
  readonly #events: DialEvents
  readonly #silence: Backoff
  readonly #refusal: Backoff
  readonly #crowd: Backoff
  readonly #rejection: Backoff
  readonly #attempts = new Set<Attempt>()
  /** Addresses that refused since the last round began. */
  readonly #refusing = new Set<string>()
  #addresses: readonly string[] = []
  #lookingUp = false
  #dialing = false
  #cancelRound = () => {}
  #nextRound = 0
  #rounds = 0
  #reported: { reason: string; at: number } | undefined

  constructor(options: DialOptions, events: DialEvents) {
    this.#options = options
    this.#events = events
    this.#silence = new Backoff(silentBackoff, options.random)
    this.#refusal = new Backoff(doublingBackoff, options.random)
    this.#crowd = new Backoff(crowdBackoff, options.random)
    this.#rejection = new Backoff(rejectionBackoff, options.random)
  }

  /**
   * Begins to dial.
   * @returns milliseconds until the first attempt
   */
  dial(occasion: Occasion): number {
    this.stop()
    this.#dialing = true
    this.#reported = undefined
    this.#rounds = 0
    const wait = this.#firstWait(occasion)
    this.#plan(wait)
    return wait
  }

  /** A connection has worked: the next refusal is the first one. */
  worked(): void {
    this.#refusal.reset()
    this.#rejection.reset()
  }

  /** Whether the first round was unanswered, as by a node that is starting. */
  get wasAway(): boolean {
    return this.#rounds > 1
  }

  get dialing(): boolean {
    return this.#dialing
  }

  /** Milliseconds until the next attempt begins. */
  get retryIn(): number {
    return Math.max(0, this.#nextRound - this.#options.clock.now())
  }

  stop(): void {
    this.#dialing = false
    this.#cancelRound()
    for (const attempt of this.#attempts) this.#drop(attempt)
  }

  #firstWait(occasion: Occasion): number {
    if (occasion === "refused") return this.#refusal.next()
    if (occasion === "rejected") return this.#rejection.next()
    this.#silence.reset()
    if (occasion === "start") return 0
    return 100 + 150 * this.#options.random()
  }

  #plan(wait: number): void {
    this.#cancelRound()
    this.#nextRound = this.#options.clock.now() + wait
    this.#cancelRound = this.#options.clock.after(wait, () => this.#round())
  }

  #round(): void {
    this.#rounds++
    this.#refusing.clear()
    this.#plan(this.#silence.next())
    this.#lookUp().then(addresses => {
      // The first one, too, from a timer: answers that have arrived are read before.
      for (const [i, ip] of addresses.entries()) {
        this.#options.clock.after(i * ADDRESS_GAP_MS, () => this.#attempt({ ip, port: this.#options.port }))
      }
    })
  }

  /** The host's current addresses, or the last known ones while the resolver does not answer. */
  async #lookUp(): Promise<readonly string[]> {
    if (this.#lookingUp) return this.#addresses
    this.#lookingUp = true
    try {
      this.#addresses = (await this.#options.resolve(this.#options.host)).slice(0, MAX_ADDRESSES)
    } catch {
      if (this.#addresses.length === 0) {
        this.#report({ reason: "unreachable", message: `no address was found for the host name ${this.#options.host}` })
      }
    } finally {
      this.#lookingUp = false
    }
    return this.#addresses
  }

  #attempt(address: PeerAddress): void {
    if (!this.#dialing || this.#refusing.has(address.ip) || !this.#makeWay(address)) return
    const { transport, clock } = this.#options
    let receiver: Receiver | undefined
    const session = transport.connect(address, {
      opened: certificate => {
        this.#forget(attempt)
        this.stop()
        this.#silence.reset()
        this.#crowd.reset()
        receiver = this.#events.opened(session, certificate)
      },
      data: chunks => receiver?.data(chunks),
      closed: end => {
        this.#forget(attempt)
        if (receiver) receiver.closed(end)
        else this.#refused(address, end)
      },
    })
    const attempt: Attempt = {
      address,
      session,
      cancelTimeout: clock.after(HANDSHAKE_MS, () => this.#giveUp(attempt)),
    }
    this.#attempts.add(attempt)
  }

  /** Gives up the unanswered handshake with the address. @returns whether none with it was answered */
  #makeWay(address: PeerAddress): boolean {
    for (const attempt of this.#attemptsAt(address)) {
      if (attempt.session.bytesReceived > 0n) return false
      if (this.#rounds % PATIENT_ROUNDS !== 0) this.#giveUp(attempt)
    }
    return true
  }

  #attemptsAt({ ip }: PeerAddress): Attempt[] {
    return [...this.#attempts].filter(attempt => attempt.address.ip === ip)
  }

  #giveUp(attempt: Attempt): void {
    this.#drop(attempt)
    if (this.#isNews("timeout")) void this.#reportSilence(attempt.address)
  }

  /** An address to which this system refuses to send is reported only if there is no other, as of one family on most hosts. */
  async #reportSilence({ ip, port }: PeerAddress): Promise<void> {
    const { transport } = this.#options
    const addresses = this.#addresses
    const refusals = await Promise.all(addresses.map(ip => transport.sendRefusal({ ip, port })))
    const refusal = refusals[addresses.indexOf(ip)]
    if (refusal === undefined) this.#report({ reason: "timeout", message: `no answer from ${ip} port ${port}` })
    else if (!refusals.includes(undefined)) {
      const message = `this system refuses to send to ${ip} port ${port}: ${refusal}`
      this.#report({ reason: "unreachable", message })
    }
  }

  /** The peer or the local network refused an attempt. */
  #refused(address: PeerAddress, end: SessionEnd): void {
    if (!this.#dialing) return
    this.#refusing.add(address.ip)
    for (const attempt of this.#attemptsAt(address)) this.#drop(attempt)
    this.#plan((end.reason === "refused" ? this.#crowd : this.#refusal).next())
    this.#report(end)
  }

  #drop(attempt: Attempt): void {
    this.#forget(attempt)
    attempt.session.close()
  }

  #forget(attempt: Attempt): void {
    attempt.cancelTimeout()
    this.#attempts.delete(attempt)
  }

  #report(end: SessionEnd): void {
    if (!this.#dialing || !this.#isNews(end.reason)) return
    this.#reported = { reason: end.reason, at: this.#options.clock.now() }
    this.#events.failed(end, this.retryIn)
  }

  #isNews(reason: string): boolean {
    return this.#reported?.reason !== reason || this.#options.clock.now() - this.#reported.at >= REPORT_AGAIN_MS
  }
}
