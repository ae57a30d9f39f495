/** The output stream, shared by log lines and the status line. */

/** The part of `process.stderr` that is used. */
export interface TextStream {
  /** @param written called when the text has been written out */
  write(text: string, written: () => void): unknown
  on?(event: "error", listener: () => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const CLEAR_LINE = "\r\x1b[2K"

/** Maximum number of buffered characters while the reader, such as a pager, is stalled. Further text is dropped. */
const MAX_UNREAD = 2 ** 20

export class Terminal {
  readonly #stream: TextStream
  readonly #canRedraw: boolean
  #status = ""
  #unread = 0

  /** @param term the terminal's type; by default $TERM for standard error */
  constructor(stream: TextStream = process.stderr, term = stream === process.stderr ? process.env["TERM"] : undefined) {
    this.#stream = stream
    this.#canRedraw = stream.isTTY === true && stream.columns !== 0 && term !== "" && term !== "dumb"
    // The miner continues if the reader, such as `tee`, exits.
    stream.on?.("error", () => {})
  }

  /** Whether a line can be redrawn. */
  get interactive(): boolean {
    return this.#canRedraw
  }

  get columns(): number {
    // A terminal without a configured size reports 0 columns.
    return this.#stream.columns || 80
  }

  /** Writes whole lines above the status line. */
  write(text: string): void {
    this.#send(this.#status ? `${CLEAR_LINE}${text}${this.#status}` : text)
  }

  /** Replaces the status line; an empty one removes it. @param line narrower than the terminal */
  setStatus(line: string): void {
    if (line === this.#status) return
    this.#send(CLEAR_LINE + line)
    this.#status = line
  }

  #send(text: string): void {
    if (this.#unread + text.length > MAX_UNREAD) return
    this.#unread += text.length
    this.#stream.write(text, () => {
      this.#unread -= text.length
    })
  }
}

/**
 * Sanitizes external text, such as a pool's message or a job id: replaces line breaks, which could forge log lines, and
 * control and bidirectional characters, which could control the terminal or reorder text.
 */
export function printable(text: string): string {
  return text.replace(/\s*[\n\u2028\u2029]\s*/g, " ↵ ").replace(/[\p{Cc}\p{Bidi_Control}]+/gu, "�")
}
