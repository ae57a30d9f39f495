/** Reads newline-delimited text from a byte stream, in pieces of any size. */

/** Bytes of a line without its newline; a peer that sends more does not speak the protocol. */
export const MAX_LINE_BYTES = 64 * 1024

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

export class LineTooLong extends Error {
  override readonly name = "LineTooLong"
}

export class LineReader {
  readonly #maxBytes: number
  readonly #decoder = new TextDecoder()
  #parts: Uint8Array[] = []
  #length = 0

  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes
  }

  /**
   * Takes the next bytes of the stream and yields the lines that they complete, without blank lines and without a BOM.
   * Must be read to its end. Bytes that are kept are copied.
   * @throws LineTooLong as soon as a line exceeds the maximum, after the lines before it
   */
  *push(chunk: Uint8Array): Generator<string, void, undefined> {
    let start = 0
    for (let end = endOfLine(chunk, 0); end >= 0; end = endOfLine(chunk, start)) {
      this.#add(chunk.subarray(start, end))
      start = end + 1
      const line = this.#take()
      if (line !== "") yield line
    }
    if (start < chunk.length) this.#add(chunk.slice(start))
  }

  #add(part: Uint8Array): void {
    this.#length += part.length
    if (this.#length > this.#maxBytes) throw new LineTooLong(`a line is longer than ${this.#maxBytes} bytes`)
    this.#parts.push(part)
  }

  #take(): string {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    // NUL ends a line of pools that write strings as C stores them.
    return this.#decoder.decode(bytes).replaceAll("\0", "").trim()
  }
}

/** JSON has no carriage return inside a message, so one alone ends a line too. */
function endOfLine(chunk: Uint8Array, from: number): number {
  const [newline, carriageReturn] = [chunk.indexOf(NEWLINE, from), chunk.indexOf(CARRIAGE_RETURN, from)]
  return newline < 0 || (carriageReturn >= 0 && carriageReturn < newline) ? carriageReturn : newline
}
