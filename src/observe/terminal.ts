/** The stream that people read, shared by log lines and the status line so that neither garbles the other. */

/** What is needed of `process.stderr`. */
export interface TextStream {
  /** @param written called when the text has left the process */
  write(text: string, written: () => void): unknown
  on?(event: "error", listener: () => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const CLEAR_LINE = "\r\x1b[2K"

/** Characters that may wait for a reader, such as a pager that somebody has left open; what comes then is lost. */
const MOST_UNREAD = 2 ** 20

export class Terminal {
  readonly #stream: TextStream
  readonly #canRedraw: boolean
  #status = ""
  #unread = 0

  /** @param term the terminal's type; by default $TERM for standard error */
  constructor(stream: TextStream = process.stderr, term = stream === process.stderr ? process.env["TERM"] : undefined) {
    this.#stream = stream
    this.#canRedraw = stream.isTTY === true && stream.columns !== 0 && term !== "" && term !== "dumb"
    // A reader that has gone away, such as `tee`, is no reason to stop.
    stream.on?.("error", () => {})
  }

  /** Whether a line can be redrawn. */
  get interactive(): boolean {
    return this.#canRedraw
  }

  get columns(): number {
    // A terminal can say that it has none: one that nobody has given a size.
    return this.#stream.columns || 80
  }

  /** Writes whole lines above the status line. */
  write(text: string): void {
    this.#send(this.#status ? `${CLEAR_LINE}${text}${this.#status}` : text)
  }

  /** Draws `line`, narrower than the terminal, in place of the status line before it; an empty one takes it away. */
  setStatus(line: string): void {
    if (line === this.#status) return
    this.#send(CLEAR_LINE + line)
    this.#status = line
  }

  #send(text: string): void {
    if (this.#unread + text.length > MOST_UNREAD) return
    this.#unread += text.length
    this.#stream.write(text, () => {
      this.#unread -= text.length
    })
  }
}

/**
 * Text that came from outside, such as a pool's words or a job's id, without what a terminal would obey, without line
 * breaks that would forge a line of the log, and without marks that would turn its letters around.
 */
export function printable(text: string): string {
  return text.replace(/\s*[\n\u2028\u2029]\s*/g, " ↵ ").replace(/[\p{Cc}\p{Bidi_Control}]+/gu, "�")
}
