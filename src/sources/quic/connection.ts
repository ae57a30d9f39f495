/** One connection to a node, from `Ready` to its end: sends and receives frames, and detects silence. */
import type { Clock } from "../../clock.ts"
import type { Receiver } from "./dial.ts"
import { encodeFrame, FrameDecoder, FrameError } from "./frames.ts"
import { type NodeMessage, parseNodeMessage } from "./messages.ts"
import type { Session, SessionEnd } from "./transport.ts"

/** Time without a datagram, despite one ping per second, after which the node is suspected to be gone. */
const SUSPECT_MS = 1800

/** Time without a datagram after which the connection is given up: 15 s less the delay of detection. */
const GIVE_UP_MS = 14_500

const LOOK_EVERY_MS = 200

export type JobMessage = Exclude<NodeMessage, { kind: "unknown" }>

export interface ConnectionEvents {
  /** The newest of the jobs that arrived together; the earlier ones are already replaced. */
  job(message: JobMessage): void
  /** A message was ignored. */
  ignored(problem: string): void
  /** The node is silent. */
  suspected(): void
  /** The node is no longer silent. */
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

  /** Whether the node is silent, so that a message sent now may not arrive. */
  get suspect(): boolean {
    return this.#suspect
  }

  /** Increases with every datagram: if it has increased since a write, the node received the write. */
  get bytesReceived(): bigint {
    return this.#session.bytesReceived
  }

  /** @throws RangeError if the message does not fit into a frame */
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

  /** Closes the connection in order; settles within half a second. No event follows. */
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
