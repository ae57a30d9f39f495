/**
 * Tokens, passwords and certificate pins, from a value or a file. They are checked before the first connection and read
 * again before every reconnect. No message contains their value.
 */
import { dirname, resolve } from "node:path"
import { ExitCode, OperatorError } from "../errors.ts"
import { type Files, fileProblem } from "./files.ts"
import { type Given, givenError } from "./given.ts"
import { invisibleCharacter } from "./parse.ts"

export interface Secret {
  /** Kind and origin, for messages: `the token in /etc/quantus/miner-auth-token`. */
  readonly description: string
  /** Path of the file; undefined if reading again always returns the same value. */
  readonly file?: string
  /** Whether the file may hold another value later. */
  readonly isRenewable?: boolean
  /** Returns the current value. @throws OperatorError (config) if the file has become unusable */
  read(): string
}

/** The file of a secret does not exist yet, but may appear when the node starts. */
export class MissingSecret extends OperatorError {
  readonly path: string

  constructor(message: string, path: string) {
    super(message, ExitCode.config)
    this.path = path
  }
}

export interface SecretKind {
  readonly name: string
  /** Description of a valid value, for errors. */
  readonly wanted: string
  /** Whether other users must not be able to read it. */
  readonly confidential: boolean
  /** Returns the canonical form, undefined if malformed. @param text trimmed, not empty */
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

/** A pool login. Not confidential, but checked as strictly as the password. */
export const LOGIN: SecretKind = { name: "login", wanted: "one line", confidential: false, normalise: text => text }

/**
 * SHA-256 of a certificate, normalised to 64 lower-case digits. Accepts the output of `openssl x509 -fingerprint` and
 * `sha256sum`: a label before, colons or spaces between, and a file name after the digits.
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

/** A secret specified as a value. @throws OperatorError if it is empty or malformed */
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
 * A secret in a file, read and checked immediately. A pipe, such as that of `<(pass show token)`, is read only once.
 * @param origin the option that specifies the file, for errors
 * @throws OperatorError (config) if the file is missing, unreadable, empty or malformed
 */
export function secretFile(path: string, origin: string, kind: SecretKind, files: Files): Secret {
  const read = () => readSecret(path, origin, kind, files)
  const value = read()
  const description = `the ${kind.name} in ${path}`
  if (!files.isRereadable(path)) return { description, read: () => value }
  return { description, file: path, isRenewable: true, read }
}

/**
 * Warns about a file mode that lets other users read or change a secret, with the remedy; undefined if the mode is safe.
 * Group access is accepted on a read-only mount, where chmod cannot change it.
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
    ? "its mount is read-only; set the mode where the mount is defined"
    : `run chmod ${kind.confidential ? "600" : "644"} ${path}`
  return `${path} contains a ${kind.name}, but its mode ${octal} lets other users ${what} it: ${advice}`
}

function readSecret(path: string, origin: string, kind: SecretKind, files: Files): string {
  const refuse = (problem: string) => new OperatorError(`${origin}: ${path} ${problem}`, ExitCode.config)
  let text: string
  try {
    text = files.read(path).trim()
  } catch (error) {
    const problem = fileProblem(error)
    if (problem === undefined) throw error
    if ((error as { code?: unknown }).code === "ENOENT" && mayAppear(path, files)) {
      throw new MissingSecret(`${origin}: ${path} ${problem}`, resolve(path))
    }
    throw refuse(problem)
  }
  if (text === "") throw refuse("is empty")
  const flaw = flawOf(text, kind)
  if (flaw) throw refuse(flaw)
  const value = kind.normalise(text)
  if (value === undefined) throw refuse(`must contain the ${kind.name}: ${kind.wanted}`)
  return value
}

/** Detects quotes copied from an environment file and invisible characters, which would be sent as part of the value. */
function flawOf(text: string, { name }: SecretKind): string | undefined {
  const quote = text.length >= 2 && /^["']/.test(text) && text.endsWith(text[0]!)
  if (quote) return `has quotes around the ${name}: remove them`
  const hidden = invisibleCharacter(text)
  return hidden && `has ${hidden} in the ${name}: remove it`
}

function isLine(text: string): boolean {
  return invisibleCharacter(text) === undefined
}

/** Chain directories below the node's default base path on Linux, macOS and Windows. */
const CHAINS =
  /\/(\.local\/share\/quantus-node|Library\/Application Support\/quantus-node|quantus-node\/data)\/chains\//

/** A node creates its own directories; a missing directory elsewhere means an incorrect path. */
const mayAppear = (path: string, files: Files): boolean =>
  CHAINS.test(path.replaceAll("\\", "/")) || files.isDirectory(dirname(path))
