/**
 * Tokens, passwords and certificate pins: from a value or a file, checked before anything is connected, read again when
 * a connection is made again. What they hold is in no message.
 */
import { ExitCode, OperatorError } from "../errors.ts"
import { type Files, fileProblem } from "./files.ts"
import { type Given, givenError } from "./given.ts"
import { invisibleCharacter } from "./parse.ts"

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

/** A pool's login. It may be shown, but is checked as strictly as what is sent beside it. */
export const LOGIN: SecretKind = { name: "login", wanted: "one line", confidential: false, normalise: text => text }

/**
 * SHA-256 of a certificate, as 64 lower-case digits: as given, or as `openssl x509 -fingerprint` and `sha256sum` print it,
 * with a label before, colons or blanks between, and a file name after the digits.
 */
export const PIN: SecretKind = {
  name: "certificate's SHA-256",
  wanted: "64 hexadecimal digits",
  confidential: false,
  normalise(text) {
    const unlabelled = text.replace(
      /^(?:sha-?256\s*)?(?:fingerprint\s*)?[=:\s]\s*|^sha-?256(?:\s+fingerprint)?\s*[=:]\s*/i,
      "",
    )
    const candidates = [text, unlabelled, unlabelled.split(/\s+/)[0]!]
    return candidates
      .map(candidate => candidate.replace(/[:\s]/g, "").toLowerCase())
      .find(digits => /^[0-9a-f]{64}$/.test(digits))
  },
}

/** A secret given as a value. @throws OperatorError where it is empty or malformed */
export function secretValue(given: Given, kind: SecretKind): Secret {
  const text = given.text.trim()
  if (text === "") throw givenError(given, `${given.origin} is empty`)
  const flaw = flawOf(text, kind)
  if (flaw) throw givenError(given, `${given.origin} ${flaw}`)
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

/**
 * What is wrong with the mode of a file that others must not read or change, and what to do; undefined if nothing is.
 * Group access on a read-only mount is the mount's owner's decision, and chmod could not change it.
 */
export function looseMode(
  path: string,
  kind: Pick<SecretKind, "name" | "confidential">,
  files: Files,
): string | undefined {
  const mode = files.mode(path)
  const isReadOnly = files.isReadOnly(path)
  const others = isReadOnly ? 0o007 : 0o077
  const readable = kind.confidential && (mode & others & 0o044) !== 0
  const writable = !isReadOnly && (mode & others & 0o022) !== 0
  if (!readable && !writable) return
  const what = [readable && "read", writable && "change"].filter(Boolean).join(" and ")
  const octal = mode.toString(8).padStart(4, "0")
  const advice = isReadOnly
    ? "its mount is read-only, set the mode where the mount is defined"
    : `run chmod ${kind.confidential ? "600" : "644"} ${path}`
  return `${path} holds a ${kind.name} but its mode ${octal} lets other users ${what} it: ${advice}`
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
  const flaw = flawOf(text, kind)
  if (flaw) throw refuse(flaw)
  const value = kind.normalise(text)
  if (value === undefined) throw refuse(`must hold ${kind.wanted}, the ${kind.name}`)
  return value
}

/** A slip that would be sent as part of the value: quotes of an environment file, a character that nobody sees. */
function flawOf(text: string, { name }: SecretKind): string | undefined {
  const quote = text.length >= 2 && /^["']/.test(text) && text.endsWith(text[0]!)
  if (quote) return `has quotes around the ${name}: remove them`
  const hidden = invisibleCharacter(text)
  return hidden && `has ${hidden} in the ${name}: remove it`
}

function isLine(text: string): boolean {
  return invisibleCharacter(text) === undefined
}
