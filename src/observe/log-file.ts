/** The log in a file, rotated by size. */
import { appendFileSync, closeSync, fstatSync, openSync, renameSync } from "node:fs"
import { ExitCode, OperatorError } from "../errors.ts"

const MAX_BYTES = 10_000_000
/** Older files are FILE.1, the newest of them, to FILE.3. */
const OLDER_FILES = 3

export interface LogFileOptions {
  readonly path: string
  /** Reports a file that can no longer be written or rotated; called once until that succeeds again. */
  readonly failed: (message: string) => void
  readonly maxBytes?: number
}

export class LogFile {
  readonly #path: string
  readonly #failed: (message: string) => void
  readonly #maxBytes: number
  #file: number | undefined
  #bytes = 0
  #isFailing = false
  #isRotatable = true

  /** @throws OperatorError (config) if the file cannot be opened */
  constructor({ path, failed, maxBytes = MAX_BYTES }: LogFileOptions) {
    this.#path = path
    this.#failed = failed
    this.#maxBytes = maxBytes
    try {
      this.#open()
    } catch (error) {
      throw new OperatorError(`--log-file ${path} cannot be written: ${reason(error)}`, ExitCode.config)
    }
  }

  /** Appends a line; `text` ends with a line break. */
  write(text: string): void {
    try {
      if (this.#file === undefined) this.#open()
      const isFull = this.#bytes > 0 && this.#bytes + text.length > this.#maxBytes
      if (isFull && this.#isRotatable) this.#rotate()
      appendFileSync(this.#file!, text)
      this.#bytes += Buffer.byteLength(text)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) this.#failed(`the log file ${this.#path} cannot be written: ${reason(error)}`)
      this.#isFailing = true
    }
  }

  /** Opens the file again, for a program such as logrotate that has renamed it. */
  reopen(): void {
    this.#close()
    this.#isRotatable = true
  }

  #close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #open(): void {
    // Only the owner and the group can read a log, which names hosts and logins.
    this.#file = openSync(this.#path, "a", 0o640)
    this.#bytes = fstatSync(this.#file).size
  }

  /** If it fails, as in a directory of another user, the file grows until it is reopened. */
  #rotate(): void {
    this.#close()
    try {
      for (let number = OLDER_FILES; number >= 1; number--) this.#renameTo(number)
    } catch (error) {
      this.#isRotatable = false
      this.#failed(`the log file ${this.#path} cannot be rotated and grows: ${reason(error)}`)
    }
    this.#open()
  }

  #renameTo(number: number): void {
    const newer = number === 1 ? this.#path : `${this.#path}.${number - 1}`
    try {
      renameSync(newer, `${this.#path}.${number}`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    }
  }
}

function reason(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
