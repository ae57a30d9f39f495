/** The messages of the Stratum dialect (protocol §3), checked field by field as they come in. */
import { HEADER_BYTES } from "../../pow/nonce-hash.ts"
import { U512_MAX } from "../../pow/u512.ts"
import { parseExactJson } from "./exact-json.ts"

export interface StratumJob {
  readonly id: string
  /** The mining hash, 32 bytes. */
  readonly header: Uint8Array
  /** 1 … 2^512 − 1, of a share. */
  readonly difficulty: bigint
  /** First bytes of every nonce, 0 … 16 of them. */
  readonly extranonce: Uint8Array
  /** Grows with the pool's jobs; undefined where the pool sends none. */
  readonly sequence: bigint | undefined
}

export type PoolMessage =
  | { readonly kind: "answer"; readonly id: number | undefined; readonly result: unknown; readonly error?: string }
  | { readonly kind: "job"; readonly job: unknown; readonly clean: boolean }
  | { readonly kind: "unknown"; readonly method: string }

export interface LoginResult {
  readonly session: string
  /** Not yet checked; null where the pool has no job yet. */
  readonly job: unknown
  readonly keepalive: boolean
}

/** Every field of any message, by name, before its type is checked. */
export type Fields = { readonly [Name in FieldName]?: unknown }

type FieldName =
  | ("id" | "method" | "params" | "result" | "error" | "message" | "status" | "extensions")
  | ("login" | "pass" | "job" | "clean_jobs" | "job_id" | "nonce")
  | ("mining_hash" | "extranonce" | "difficulty" | "seq")

/** Where a message is not what the protocol says; the sentence names the field. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage"
}

const MAX_EXTRANONCE_BYTES = 16
const MAX_JOB_ID = 256
const MAX_REASON = 200

export const loginLine = (id: number, login: string, pass: string, agent: string): string =>
  line({ id, method: "login", params: { login, pass, agent } })

/** @param nonce 64 bytes @param hash its hash, 64 bytes: some pools want it, the others ignore it */
export const submitLine = (id: number, session: string, jobId: string, nonce: Uint8Array, hash: Uint8Array): string =>
  line({
    id,
    method: "submit",
    params: { id: session, job_id: jobId, nonce: nonce.toHex(), result: hash.toHex() },
  })

export const keepaliveLine = (id: number, session: string): string =>
  line({ id, method: "keepalived", params: { id: session } })

/** @throws MalformedMessage where the line is no message at all */
export function parsePoolMessage(text: string): PoolMessage {
  const message = parseObject(text)
  if (typeof message.method === "string" && message.method !== "") {
    if (message.method !== "job") return { kind: "unknown", method: printable(message.method) }
    const params = asObject(message.params, "params")
    return { kind: "job", job: "job" in params ? params.job : params, clean: params.clean_jobs !== false }
  }
  const id = typeof message.id === "number" ? message.id : undefined
  const error = errorOf(message.error)
  if (error === undefined && message.result === undefined) throw new MalformedMessage("neither method nor result")
  return { kind: "answer", id, result: message.result, ...(error !== undefined && { error }) }
}

/** @throws MalformedMessage */
export function parseLoginResult(result: unknown): LoginResult {
  const { id, job, status, extensions } = asObject(result, "result")
  if (!isOk(status)) throw new MalformedMessage(`login: status ${printable(String(status))}`)
  if (typeof id !== "string" || id === "") throw new MalformedMessage("login: expected a session id")
  return { session: id, job: job ?? null, keepalive: Array.isArray(extensions) && extensions.includes("keepalive") }
}

/** @returns true where a pool's answer takes the share, its reason where it does not */
export function shareVerdict(result: unknown): true | string {
  if (result === true) return true
  const status = typeof result === "object" && result !== null ? (result as Fields).status : result
  return isOk(status) ? true : printable(typeof status === "string" ? status : "no reason given")
}

/** `{"status":"KEEPALIVED"}` answers a ping and nothing else, whatever id it carries. */
export const isKeepalive = (result: unknown): boolean =>
  typeof result === "object" && result !== null && (result as Fields).status === "KEEPALIVED"

/** @throws MalformedMessage */
export function parseJob(value: unknown): StratumJob {
  const job = asObject(value, "job")
  const id = job.job_id
  if (typeof id !== "string" || id === "" || id.length > MAX_JOB_ID) throw new MalformedMessage("job_id: expected text")
  return {
    id,
    header: hexField(job, "mining_hash", HEADER_BYTES, HEADER_BYTES),
    difficulty: difficultyField(job.difficulty),
    extranonce: job.extranonce == null ? new Uint8Array() : hexField(job, "extranonce", 0, MAX_EXTRANONCE_BYTES),
    sequence: sequenceField(job.seq),
  }
}

/** A pool's text made fit for a log line: no control characters, at most 200 characters. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{C}\s]+/gu, " ").trim()
  return clean.length > MAX_REASON ? `${clean.slice(0, MAX_REASON)}…` : clean
}

/** @throws MalformedMessage where the text is no JSON object */
export function parseObject(text: string): Fields {
  let value: unknown
  try {
    value = parseExactJson(text)
  } catch {
    throw new MalformedMessage("not JSON")
  }
  return asObject(value, "message")
}

export const line = (message: object): string => `${JSON.stringify(message)}\n`

function asObject(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedMessage(`${what}: expected an object`)
  }
  return value as Fields
}

function hexField(job: Fields, name: "mining_hash" | "extranonce", least: number, most: number): Uint8Array {
  const hex = job[name]
  const bytes = typeof hex === "string" && /^([0-9a-f]{2})*$/i.test(hex) ? Uint8Array.fromHex(hex) : undefined
  if (!bytes || bytes.length < least || bytes.length > most) {
    throw new MalformedMessage(`${name}: expected ${least === most ? least : `${least} to ${most}`} bytes in hex`)
  }
  return bytes
}

function difficultyField(value: unknown): bigint {
  const difficulty = integer(value)
  if (difficulty === undefined || difficulty < 1n || difficulty > U512_MAX) {
    throw new MalformedMessage("difficulty: expected 1 … 2^512 − 1")
  }
  return difficulty
}

function sequenceField(value: unknown): bigint | undefined {
  if (value == null) return undefined
  const sequence = integer(value)
  if (sequence === undefined) throw new MalformedMessage("seq: expected an integer")
  return sequence
}

function integer(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === "string" && /^\d{1,155}$/.test(value) ? BigInt(value) : undefined
}

/** Pools write errors as `{code, message}`, as `[code, message]` or as text; null and false are none. */
function errorOf(error: unknown): string | undefined {
  if (error == null || error === false) return undefined
  if (typeof error === "string") return printable(error)
  const message = Array.isArray(error) ? error[1] : (error as Fields).message
  return printable(typeof message === "string" ? message : "no reason given")
}

const isOk = (status: unknown): boolean => typeof status === "string" && status.toUpperCase() === "OK"
