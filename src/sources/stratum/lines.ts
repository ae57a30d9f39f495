/** Newline-delimited text out of a byte stream, in whatever pieces it comes. */

/** A line's bytes without its newline; a pool that sends more is not speaking the protocol. */
export const MAX_LINE_BYTES = 64 * 1024

const NEWLINE = 0x0a

export class LineTooLong extends Error {
  override readonly name = "LineTooLong"
}

export class LineReader {
  readonly #limit: number
  readonly #decoder = new TextDecoder()
  #parts: Uint8Array[] = []
  #length = 0

  constructor(limit: number = MAX_LINE_BYTES) {
    this.#limit = limit
  }

  /**
   * Takes the stream's next bytes and yields the lines they complete, blank ones left out. To be read to its end; the
   * bytes are copied where they must be kept.
   * @throws LineTooLong as soon as a line is over the limit, after the lines before it
   */
  *push(chunk: Uint8Array): Generator<string, void, undefined> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end))
      start = end + 1
      const line = this.#take()
      if (line !== "") yield line
    }
    if (start < chunk.length) this.#add(chunk.slice(start))
  }

  #add(part: Uint8Array): void {
    this.#length += part.length
    if (this.#length > this.#limit) throw new LineTooLong(`a line is longer than ${this.#limit} bytes`)
    this.#parts.push(part)
  }

  #take(): string {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return this.#decoder.decode(bytes).trim()
  }
}
