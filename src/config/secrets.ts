/**
 * Tokens, passwords and certificate pins: from a value or a file, checked before anything is connected, read again when
 * a connection is made again. What they hold is in no message.
 */
import { ExitCode, OperatorError } from "../errors.ts"
import { type Files, fileProblem } from "./files.ts"
import { type Given, givenError } from "./given.ts"

export interface Secret {
  /** What it is and where it comes from, to tell what to renew: `the token in /etc/quantus/miner-auth-token`. */
  readonly description: string
  /** Set where another reading can bring another value. */
  readonly file?: string
  /** The value as it is now. @throws OperatorError (config) where the file has become unusable */
  read(): string
}

export interface SecretKind {
  readonly name: string
  /** What it must be, for errors. */
  readonly wanted: string
  /** Whether others must not read it. */
  readonly confidential: boolean
  /** The value in its one spelling, undefined for a malformed one. @param text trimmed, not empty */
  normalise(text: string): string | undefined
}

/** At most 512 bytes on one line (protocol §1). */
export const TOKEN: SecretKind = {
  name: "token",
  wanted: "one line of at most 512 bytes",
  confidential: true,
  normalise: text => (isLine(text) && Buffer.byteLength(text) <= 512 ? text : undefined),
}

export const PASSWORD: SecretKind = {
  name: "password",
  wanted: "one line",
  confidential: true,
  normalise: text => (isLine(text) ? text : undefined),
}

/** SHA-256 of a certificate, as 64 lower-case digits; colons and blanks between digits do not count. */
export const PIN: SecretKind = {
  name: "certificate's SHA-256",
  wanted: "64 hexadecimal digits",
  confidential: false,
  normalise(text) {
    const digits = text.replace(/[:\s]/g, "").toLowerCase()
    return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined
  },
}

/** A secret given as a value. @throws OperatorError where it is empty or malformed */
export function secretValue(given: Given, kind: SecretKind): Secret {
  const text = given.text.trim()
  if (text === "") throw givenError(given, `${given.origin} is empty`)
  const value = kind.normalise(text)
  if (value === undefined) throw givenError(given, `${given.origin} must be ${kind.wanted}`)
  return { description: `the ${kind.name} of ${given.origin}`, read: () => value }
}

/**
 * A secret in a file, read and checked at once. What gives it only once, such as the pipe of `<(pass show token)`, is not
 * read again.
 * @param origin what named the file, for errors
 * @throws OperatorError (config) where it is missing, unreadable, empty or malformed
 */
export function secretFile(path: string, origin: string, kind: SecretKind, files: Files): Secret {
  const read = () => readSecret(path, origin, kind, files)
  const value = read()
  const description = `the ${kind.name} in ${path}`
  return files.lasts(path) ? { description, file: path, read } : { description, read: () => value }
}

/** Says so where a file that others must not read can be read by them. */
export function looseMode(
  path: string,
  kind: Pick<SecretKind, "name" | "confidential">,
  files: Files,
): string | undefined {
  const mode = files.mode(path)
  if (!kind.confidential || (mode & 0o044) === 0) return
  return `${path} holds a ${kind.name} but its mode ${mode.toString(8).padStart(4, "0")} lets other users read it: run chmod 600 ${path}`
}

function readSecret(path: string, origin: string, kind: SecretKind, files: Files): string {
  const refuse = (problem: string) => new OperatorError(`${origin}: ${path} ${problem}`, ExitCode.config)
  let text: string
  try {
    text = files.read(path).trim()
  } catch (error) {
    const problem = fileProblem(error)
    if (problem === undefined) throw error
    throw refuse(problem)
  }
  if (text === "") throw refuse("is empty")
  const value = kind.normalise(text)
  if (value === undefined) throw refuse(`must hold ${kind.wanted}, the ${kind.name}`)
  return value
}

function isLine(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return !/[\x00-\x1f\x7f]/.test(text)
}
