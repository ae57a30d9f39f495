/** The messages of the Stratum dialect (protocol §3), each field checked as it is read. */
import { HEADER_BYTES } from "../../pow/nonce-hash.ts"
import { type ShareBound, shareBound } from "./difficulty.ts"
import { parseExactJson, shown } from "./exact-json.ts"

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
  /** Undefined if the pool gives none; then it gets none back. */
  readonly session: WireId | undefined
  /** Not yet checked; null if the pool has no job yet. */
  readonly job: unknown
  readonly keepalive: boolean
  /** For jobs without one, not yet checked. */
  readonly extranonce: unknown
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
export const submitLine = (
  id: number,
  session: WireId | undefined,
  jobId: WireId,
  nonce: Uint8Array,
  hash: Uint8Array,
): string =>
  line({
    id,
    method: "submit",
    params: { id: exactId(session), job_id: exactId(jobId), nonce: nonce.toHex(), result: hash.toHex() },
  })

export const keepaliveLine = (id: number, session: WireId | undefined): string =>
  line({ id, method: "keepalived", params: { id: exactId(session) } })

/**
 * The messages of a line: one, or several that a pool put into an array or one behind the other.
 * @throws UnreadableLine for any other line
 */
export function messagesOf(text: string): readonly Fields[] {
  for (const candidate of [text, `[${text.replaceAll(/\}\s*\{/g, "},{")}]`]) {
    const value = attempt(candidate)
    const messages = Array.isArray(value) ? value : [value]
    if (messages.length > 0 && messages.every(isObject)) return messages
  }
  throw new UnreadableLine("not a JSON object")
}

/** @throws MalformedMessage if the object is not a message */
export function readMessage(message: Fields): PoolMessage {
  if (typeof message.method === "string" && message.method !== "") {
    if (message.method !== "job") return { kind: "unknown", method: printable(message.method) }
    const [first] = Array.isArray(message.params) ? message.params : [message.params]
    const params = asObject(first, "params")
    const clean = !/^(false|0)$/i.test(String(params.clean_jobs ?? true))
    return { kind: "job", job: "job" in params ? params.job : params, clean }
  }
  const id = isWireId(message.id) && message.id !== "" ? String(message.id) : undefined
  const { result } = message
  if (isEmptyError(message.error)) {
    if (result !== undefined) return { kind: "answer", id, result }
    if (message.error == null) throw new MalformedMessage("neither method nor result")
  }
  return { kind: "answer", id, result, error: errorText(message.error) }
}

/** @throws MalformedMessage */
export function parseLoginResult(result: unknown): LoginResult {
  if (isPositive(result) && !isObject(result))
    return { session: undefined, job: null, keepalive: false, extranonce: null }
  const { id, job, status, extensions, extranonce } = asObject(result, "result")
  if (status != null && !isPositive(status)) throw new MalformedMessage(`login: status ${printable(shown(status))}`)
  if (id != null && !isWireId(id))
    throw new MalformedMessage(`login: expected a session id, got ${printable(shown(id))}`)
  const keepalive = Array.isArray(extensions) && extensions.includes("keepalive")
  return { session: id ?? undefined, job: job ?? null, keepalive, extranonce }
}

/** @returns true if a pool's answer accepts the share, else the pool's reason */
export function shareVerdict(result: unknown): true | string {
  if (isPositive(result)) return true
  const status = isObject(result) ? result.status : result
  return printable(typeof status === "string" && status !== "" ? status : "no reason given")
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

/** @param extranonce for a job without one @throws MalformedMessage */
export function parseJob(value: unknown, extranonce?: unknown): StratumJob {
  const fields = asObject(value, "job")
  const job = { ...fields, extranonce: fields.extranonce ?? extranonce }
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
  const value = attempt(text)
  if (!isObject(value)) throw new UnreadableLine("not a JSON object")
  return value
}

/** Undefined if the text is not JSON. */
function attempt(text: string): unknown {
  try {
    return parseExactJson(text)
  } catch {
    return undefined
  }
}

export const line = (message: object): string => `${JSON.stringify(message)}\n`

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function asObject(value: unknown, what: string): Fields {
  if (!isObject(value)) throw new MalformedMessage(`${what}: expected an object`)
  return value
}

function isWireId(value: unknown): value is WireId {
  return typeof value === "string" || typeof value === "bigint" || Number.isFinite(value)
}

/** A value that `JSON.stringify` writes as the pool wrote it. */
function exactId(id: WireId | undefined): unknown {
  if (typeof id !== "bigint") return id
  const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }
  return rawJSON(String(id))
}

function hexField(job: Fields, name: "mining_hash" | "extranonce", min: number, max: number): Uint8Array {
  const hex = job[name]
  const digits = typeof hex === "string" ? /^(?:0x)?((?:[0-9a-f]{2})*)$/i.exec(hex)?.[1] : undefined
  const bytes = digits === undefined ? undefined : Uint8Array.fromHex(digits)
  if (!bytes || bytes.length < min || bytes.length > max) {
    throw new MalformedMessage(`${name}: expected ${min === max ? min : `${min} to ${max}`} bytes in hex`)
  }
  return bytes
}

/** Undefined if it cannot be read: it only orders the jobs. */
function sequenceField(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === "string" && /^\d{1,155}$/.test(value)) return BigInt(value)
  return undefined
}

/** Pools write "no error" as null, false, 0, an empty text, list or object, as "none", or as a code of 0. */
function isEmptyError(error: unknown): boolean {
  if (!error || isWord(error, NO_ERROR)) return true
  if (typeof error !== "object") return false
  return Object.values(error).every(part => !part || part === "0" || isWord(part, NO_ERROR))
}

const NO_ERROR = /^(none|null|no error|ok|success)$/i

/** Pools write "yes" as true, 1, "OK" and the like, as a status of these, or as a list that begins with one. */
function isPositive(value: unknown): boolean {
  if (value === true || value === 1 || isWord(value, YES)) return true
  if (Array.isArray(value)) return value.length > 0 && !Array.isArray(value[0]) && isPositive(value[0])
  return isObject(value) && !isObject(value.status) && isPositive(value.status)
}

const YES = /^(ok|true|accepted|success|valid)$/i

const isWord = (value: unknown, words: RegExp): boolean => typeof value === "string" && words.test(value.trim())

/** Pools write errors as `{code, message}`, as `[code, message]`, as text or as a code alone. */
function errorText(error: unknown): string {
  const parts = isObject(error) ? [error.message, error.code] : Array.isArray(error) ? error : [error]
  const text = parts.find(part => typeof part === "string" && part !== "" && Number.isNaN(Number(part)))
  const code = parts.find(part => part != null && part !== "")
  return printable(text ?? (code === undefined || code === true ? "no reason given" : `error ${shown(code)}`))
}
