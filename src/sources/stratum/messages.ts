/** The messages of the Stratum dialect (protocol §3), each field checked as it is read. */
import { HEADER_BYTES } from "../../pow/nonce-hash.ts"
import { type ShareBound, shareBound } from "./difficulty.ts"
import { parseExactJson } from "./exact-json.ts"

/** An id as the pool sent it, to be sent back in the same type. */
export type WireId = string | number | bigint

export interface StratumJob extends ShareBound {
  readonly id: string
  readonly wireId: WireId
  /** The mining hash, 32 bytes. */
  readonly header: Uint8Array
  /** The first bytes of every nonce, 0 … 16 of them. */
  readonly extranonce: Uint8Array
  /** Increases with the pool's jobs; undefined if the pool sends none. */
  readonly sequence: bigint | undefined
}

export type PoolMessage =
  | { readonly kind: "answer"; readonly id: string | undefined; readonly result: unknown; readonly error?: string }
  | { readonly kind: "job"; readonly job: unknown; readonly clean: boolean }
  | { readonly kind: "unknown"; readonly method: string }

export interface LoginResult {
  readonly session: WireId
  /** Not yet checked; null if the pool has no job yet. */
  readonly job: unknown
  readonly keepalive: boolean
}

/** Every field of any message, by name, before its type is checked. */
export type Fields = { readonly [Name in FieldName]?: unknown }

type FieldName =
  | ("id" | "method" | "params" | "result" | "error" | "code" | "message" | "status" | "extensions")
  | ("login" | "pass" | "job" | "clean_jobs" | "job_id" | "nonce")
  | ("mining_hash" | "extranonce" | "difficulty" | "target" | "seq")

/** A message that violates the protocol; the sentence names the field. */
export class MalformedMessage extends Error {
  override readonly name: string = "MalformedMessage"
}

/** A line that is not a JSON object: whoever sent it may not speak the protocol at all. */
export class UnreadableLine extends MalformedMessage {
  override readonly name = "UnreadableLine"
}

const MAX_EXTRANONCE_BYTES = 16
const MAX_JOB_ID = 256
const MAX_REASON = 200

export const loginLine = (id: number, login: string, pass: string, agent: string): string =>
  line({ id, method: "login", params: { login, pass, agent } })

/** @param nonce 64 bytes @param hash the nonce's hash, 64 bytes: some pools require it, others ignore it */
export const submitLine = (id: number, session: WireId, jobId: WireId, nonce: Uint8Array, hash: Uint8Array): string =>
  line({
    id,
    method: "submit",
    params: { id: exactId(session), job_id: exactId(jobId), nonce: nonce.toHex(), result: hash.toHex() },
  })

export const keepaliveLine = (id: number, session: WireId): string =>
  line({ id, method: "keepalived", params: { id: exactId(session) } })

/** @throws UnreadableLine if the line is not a JSON object, MalformedMessage if it is not a message */
export function parsePoolMessage(text: string): PoolMessage {
  const message = parseObject(text)
  if (typeof message.method === "string" && message.method !== "") {
    if (message.method !== "job") return { kind: "unknown", method: printable(message.method) }
    const params = asObject(message.params, "params")
    return { kind: "job", job: "job" in params ? params.job : params, clean: params.clean_jobs !== false }
  }
  const id = isWireId(message.id) ? String(message.id) : undefined
  const { result } = message
  if (isEmptyError(message.error)) {
    if (result !== undefined) return { kind: "answer", id, result }
    if (message.error == null) throw new MalformedMessage("neither method nor result")
  }
  return { kind: "answer", id, result, error: errorText(message.error) }
}

/** @throws MalformedMessage */
export function parseLoginResult(result: unknown): LoginResult {
  const { id, job, status, extensions } = asObject(result, "result")
  if (status != null && !isOk(status)) throw new MalformedMessage(`login: status ${printable(String(status))}`)
  if (!isWireId(id)) throw new MalformedMessage("login: expected a session id")
  return { session: id, job: job ?? null, keepalive: Array.isArray(extensions) && extensions.includes("keepalive") }
}

/** @returns true if a pool's answer accepts the share, else the pool's reason */
export function shareVerdict(result: unknown): true | string {
  if (result === true) return true
  const status = typeof result === "object" && result !== null ? (result as Fields).status : result
  return isOk(status) ? true : printable(typeof status === "string" ? status : "no reason given")
}

/** `{"status":"KEEPALIVED"}` answers a ping and nothing else, whatever id it carries. */
export const isKeepalive = (result: unknown): boolean =>
  typeof result === "object" && result !== null && (result as Fields).status === "KEEPALIVED"

/** Whether a refusal means that this login is no longer valid, rather than that the share is bad. */
export const endsLogin = (reason: string): boolean =>
  /unauth|not (yet )?(logged|authenticated|authori[sz]ed|subscribed)|log ?in (first|again|required)|(invalid|unknown|expired|missing|no|bad|wrong) session|session (id )?(is )?(not found|expired|invalid|unknown|closed)|re-?login/i.test(
    reason,
  )

/** Whether a refusal blames the age of the job. */
export const blamesAge = (reason: string): boolean =>
  /stale|expired|job (is )?not found|unknown job|old job/i.test(reason)

export const blamesRepetition = (reason: string): boolean => /duplicate|already (submitted|seen)/i.test(reason)

/** @throws MalformedMessage */
export function parseJob(value: unknown): StratumJob {
  const job = asObject(value, "job")
  const id = job.job_id
  if (!isWireId(id) || String(id).length > MAX_JOB_ID) throw new MalformedMessage("job_id: expected text or a number")
  const bound = shareBound(job.difficulty, job.target)
  if (typeof bound === "string") throw new MalformedMessage(printable(bound, 2 * MAX_REASON))
  return {
    ...bound,
    id: String(id),
    wireId: id,
    header: hexField(job, "mining_hash", HEADER_BYTES, HEADER_BYTES),
    extranonce: job.extranonce == null ? new Uint8Array() : hexField(job, "extranonce", 0, MAX_EXTRANONCE_BYTES),
    sequence: sequenceField(job.seq),
  }
}

/** A pool's text for a log line: no control characters, at most `max` characters. */
export function printable(text: string, max = MAX_REASON): string {
  const clean = text.replace(/[\p{C}\s]+/gu, " ").trim()
  return clean.length > max ? `${clean.slice(0, max)}…` : clean
}

/** @throws UnreadableLine if the text is not a JSON object */
export function parseObject(text: string): Fields {
  let value: unknown
  try {
    value = parseExactJson(text)
  } catch {
    throw new UnreadableLine("not JSON")
  }
  if (!isObject(value)) throw new UnreadableLine("message: expected an object")
  return value
}

export const line = (message: object): string => `${JSON.stringify(message)}\n`

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function asObject(value: unknown, what: string): Fields {
  if (!isObject(value)) throw new MalformedMessage(`${what}: expected an object`)
  return value
}

function isWireId(value: unknown): value is WireId {
  return typeof value === "string" ? value !== "" : typeof value === "bigint" || Number.isFinite(value)
}

/** A value that `JSON.stringify` writes as the pool wrote it. */
function exactId(id: WireId): unknown {
  if (typeof id !== "bigint") return id
  const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }
  return rawJSON(String(id))
}

function hexField(job: Fields, name: "mining_hash" | "extranonce", min: number, max: number): Uint8Array {
  const hex = job[name]
  const bytes = typeof hex === "string" && /^([0-9a-f]{2})*$/i.test(hex) ? Uint8Array.fromHex(hex) : undefined
  if (!bytes || bytes.length < min || bytes.length > max) {
    throw new MalformedMessage(`${name}: expected ${min === max ? min : `${min} to ${max}`} bytes in hex`)
  }
  return bytes
}

function sequenceField(value: unknown): bigint | undefined {
  if (value == null) return undefined
  if (typeof value === "bigint") return value
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === "string" && /^\d{1,155}$/.test(value)) return BigInt(value)
  throw new MalformedMessage("seq: expected an integer")
}

/** Pools write "no error" as null, false, 0, an empty text, list or object, or a code of 0 with an empty message. */
function isEmptyError(error: unknown): boolean {
  if (!error) return true
  if (Array.isArray(error)) return error.every(part => !part)
  if (typeof error !== "object") return false
  return Object.values(error).every(part => !part)
}

/** Pools write errors as `{code, message}`, as `[code, message]` or as text. */
function errorText(error: unknown): string {
  if (typeof error === "string" && error !== "") return printable(error)
  const message = Array.isArray(error) ? error[1] : (error as Fields | undefined)?.message
  return printable(typeof message === "string" && message !== "" ? message : "no reason given")
}

const isOk = (status: unknown): boolean => typeof status === "string" && status.toUpperCase() === "OK"
