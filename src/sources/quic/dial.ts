/**
 * Dials a node until a connection opens. An absent node sends no refusal, only silence, so rounds overlap: each round
 * starts a handshake with every address of the host, and unanswered handshakes are abandoned after 3 s. A round begins
 * every second, so a node is reached within a second of its return; after ten minutes of silence the interval doubles
 * up to 30 s. If the node refuses the handshake, or closes connections before they have worked, the wait is 1 s,
 * doubling up to 30 s.
 */
import type { Clock } from "../../clock.ts"
import { Backoff, type BackoffOptions, doublingBackoff } from "../backoff.ts"
import type { Resolve } from "./resolve.ts"
import type { PeerAddress, Session, SessionEnd, Transport } from "./transport.ts"

/** One round per second for ten minutes, in which most nodes restart. */
const silentBackoff: BackoffOptions = { firstMs: 1000, capMs: 30_000, steady: 600 }

/** Maximum duration of a handshake. */
const HANDSHAKE_MS = 3000

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
  /** The first successful handshake; all others have been abandoned. @param certificate DER */
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
const rejectionBackoff: BackoffOptions = { firstMs: 10_000, capMs: 300_000, steady: 1 }

export class Dialer {
  readonly #options: DialOptions
  readonly #events: DialEvents
  readonly #silence: Backoff
  readonly #refusal: Backoff
  readonly #rejection: Backoff
  readonly #attempts = new Set<Session>()
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
    for (const session of this.#attempts) session.abandon()
    this.#attempts.clear()
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
    this.#plan(this.#silence.next())
    this.#lookUp().then(addresses => {
      for (const [i, ip] of addresses.slice(0, MAX_ADDRESSES).entries()) {
        if (i === 0) this.#attempt({ ip, port: this.#options.port })
        else this.#options.clock.after(i * ADDRESS_GAP_MS, () => this.#attempt({ ip, port: this.#options.port }))
      }
    })
  }

  /** The host's current addresses, or the last known ones while the resolver does not answer. */
  async #lookUp(): Promise<readonly string[]> {
    if (this.#lookingUp) return this.#addresses
    this.#lookingUp = true
    try {
      this.#addresses = await this.#options.resolve(this.#options.host)
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
    if (!this.#dialing) return
    const { transport, clock } = this.#options
    let receiver: Receiver | undefined
    const forget = () => {
      cancelTimeout()
      this.#attempts.delete(session)
    }
    const session = transport.connect(address, {
      opened: certificate => {
        forget()
        this.stop()
        this.#silence.reset()
        receiver = this.#events.opened(session, certificate)
      },
      data: chunks => receiver?.data(chunks),
      closed: end => {
        forget()
        if (receiver) receiver.closed(end)
        else this.#refused(end)
      },
    })
    this.#attempts.add(session)
    const cancelTimeout = clock.after(HANDSHAKE_MS, () => {
      forget()
      session.abandon()
      this.#report({ reason: "timeout", message: `no answer from ${address.ip} port ${address.port}` })
    })
  }

  /** The peer or the local network refused an attempt. */
  #refused(end: SessionEnd): void {
    if (!this.#dialing) return
    this.#plan(this.#refusal.next())
    this.#report(end)
  }

  #report(end: SessionEnd): void {
    const now = this.#options.clock.now()
    if (!this.#dialing) return
    if (this.#reported?.reason === end.reason && now - this.#reported.at < REPORT_AGAIN_MS) return
    this.#reported = { reason: end.reason, at: now }
    this.#events.failed(end, this.retryIn)
  }
}
