import type { QuicStream } from "node:quic"

/** Writes in order to a stream whose buffer may be full. */
export class StreamWriter {
  readonly #capacity: number
  readonly #overflow: () => void
  readonly #stream: QuicStream
  readonly #queue: Uint8Array[] = []

  /**
   * @param capacity maximum number of writes that wait for a peer that does not read
   * @param overflow called for each write beyond that, which is lost
   */
  constructor(stream: QuicStream, capacity: number, overflow: () => void) {
    this.#capacity = capacity
    this.#overflow = overflow
    this.#stream = stream
  }

  write(bytes: Uint8Array): void {
    if (this.#stream.destroyed) return
    // `writeSync` returns false if the buffer is full.
    if (this.#queue.length === 0 && this.#stream.writer.writeSync(bytes)) return
    if (this.#queue.length >= this.#capacity) {
      this.#overflow()
      return
    }
    this.#queue.push(bytes)
    if (this.#queue.length === 1) this.#drain()
  }

  /** Ends the stream after the completed writes; waiting writes are dropped. */
  end(): void {
    if (!this.#stream.destroyed) this.#stream.writer.endSync()
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stream.destroyed) {
      if (this.#stream.writer.writeSync(this.#queue[0]!)) this.#queue.shift()
      else await drained(this.#stream)
    }
    this.#queue.length = 0
  }
}

/** Settles when a full buffer accepts data again, or the stream has ended. */
async function drained({ writer }: QuicStream): Promise<void> {
  const drainable = writer as unknown as { [DRAIN]?: () => Promise<boolean> | null }
  await (drainable[DRAIN]?.()?.catch(() => {}) ?? Bun.sleep(1))
}

/** The symbol that `ondrain` of node:stream/iter reads; Bun does not provide that module. */
const DRAIN = Symbol.for("Stream.drainableProtocol")
