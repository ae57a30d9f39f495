/** The stream that people read, shared by log lines and the status line so that neither garbles the other. */

/** What is needed of `process.stderr`. */
export interface TextStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const CLEAR_LINE = "\r\x1b[2K"

export class Terminal {
  readonly #stream: TextStream
  #status = ""

  constructor(stream: TextStream = process.stderr) {
    this.#stream = stream
  }

  /** Whether a line can be redrawn. */
  get interactive(): boolean {
    return this.#stream.isTTY === true
  }

  get columns(): number {
    // A terminal can say that it has none: one that nobody has given a size.
    return this.#stream.columns || 80
  }

  /** Writes whole lines above the status line. */
  write(text: string): void {
    this.#stream.write(this.#status ? `${CLEAR_LINE}${text}${this.#status}` : text)
  }

  /** Draws `line`, narrower than the terminal, in place of the status line before it; an empty one takes it away. */
  setStatus(line: string): void {
    if (line === this.#status) return
    this.#stream.write(CLEAR_LINE + line)
    this.#status = line
  }
}

/**
 * Text that came from outside, such as a pool's words or a job's id, without what a terminal would obey and without
 * line breaks that would forge a line of the log.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\s*[\n\u2028\u2029]\s*/g, " ↵ ").replace(/[\x00-\x1f\x7f-\x9f]+/g, "�")
}
