/** One connection to a node, from `Ready` to its end: frames in and out, and whether the node is still there. */
import type { Clock } from "../../clock.ts"
import type { Receiver } from "./dial.ts"
import { encodeFrame, FrameDecoder, FrameError } from "./frames.ts"
import { type NodeMessage, parseNodeMessage } from "./messages.ts"
import type { Session, SessionEnd } from "./transport.ts"

/** Milliseconds without a datagram, in spite of a ping a second, after which the node may be gone. */
const SUSPECT_MS = 1800

/** Milliseconds without a datagram after which it is: 15 s less what it takes to look. */
const GIVE_UP_MS = 14_500

const LOOK_EVERY_MS = 200

export type JobMessage = Exclude<NodeMessage, { kind: "unknown" }>

export interface ConnectionEvents {
  /** The last job of all that was there to be read; those before it were already replaced. */
  job(message: JobMessage): void
  /** A message that is ignored. */
  ignored(problem: string): void
  /** The node has fallen silent. */
  suspected(): void
  /** It was heard again. */
  recovered(): void
  /** Once, last; not after `close`. */
  ended(end: SessionEnd): void
}

export class Connection implements Receiver {
  readonly #session: Session
  readonly #clock: Clock
  readonly #events: ConnectionEvents
  readonly openedAt: number
  readonly #decoder = new FrameDecoder()
  readonly #stopLooking: () => void
  #bytesReceived: bigint
  #heardAt: number
  #suspect = false
  #over = false
  #goodbye: Promise<void> | undefined

  constructor(session: Session, clock: Clock, events: ConnectionEvents) {
    this.#session = session
    this.#clock = clock
    this.#events = events
    this.openedAt = this.#heardAt = clock.now()
    this.#bytesReceived = session.bytesReceived
    this.#stopLooking = clock.every(LOOK_EVERY_MS, () => this.#look())
  }

  /** Whether the node has fallen silent: what is sent now may never arrive. */
  get suspect(): boolean {
    return this.#suspect
  }

  /** Grows with every datagram: a write was received if it has grown since. */
  get bytesReceived(): bigint {
    return this.#session.bytesReceived
  }

  /** @throws RangeError where the message does not fit into a frame */
  send(json: string): void {
    this.#session.send(encodeFrame(json))
  }

  data(chunks: readonly Uint8Array[]): void {
    this.#look()
    let last: JobMessage | undefined
    try {
      for (const chunk of chunks) {
        for (const json of this.#decoder.push(chunk)) {
          const message = parseNodeMessage(json)
          if (message.kind === "unknown") this.#events.ignored(message.problem)
          else last = message
        }
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#end({ reason: "protocol", message: error.message })
      return
    }
    if (!last) return
    this.#events.job(last)
  }

  closed(end: SessionEnd): void {
    this.#end(end)
  }

  /** Says goodbye; settles within half a second. No event follows. */
  close(): Promise<void> {
    this.#over = true
    this.#stopLooking()
    this.#goodbye ??= this.#session.close()
    return this.#goodbye
  }

  #end(end: SessionEnd): void {
    if (this.#over) return
    this.close()
    this.#events.ended(end)
  }

  #look(): void {
    const received = this.#session.bytesReceived
    if (received !== this.#bytesReceived) {
      this.#bytesReceived = received
      this.#heardAt = this.#clock.now()
      if (this.#suspect) {
        this.#suspect = false
        this.#events.recovered()
      }
      return
    }
    const silent = this.#clock.now() - this.#heardAt
    if (silent >= GIVE_UP_MS) {
      this.#end({ reason: "timeout", message: "the node has not answered for 15 s" })
    } else if (silent >= SUSPECT_MS && !this.#suspect) {
      this.#suspect = true
      this.#events.suspected()
    }
  }
}
