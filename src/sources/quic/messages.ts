/** Messages of `quantus-miner/2` (protocol §1): externally tagged JSON, read tolerantly. */
import { bytesToInteger, U512_MAX } from "../../pow/u512.ts"
import { MAX_FRAME_BYTES } from "./frames.ts"

/** A message from a node. */
export type NodeMessage =
  | { readonly kind: "job"; readonly id: string; readonly header: Uint8Array; readonly difficulty: bigint }
  /** A `NewJob` that cannot be mined: it still replaces the previous job, and is answered with `failed`. */
  | { readonly kind: "badJob"; readonly id: string; readonly problem: string }
  /** Ignored. */
  | { readonly kind: "unknown"; readonly problem: string }

/** A message from a miner. */
export type MinerMessage =
  | { readonly kind: "ready"; readonly token: string }
  | { readonly kind: "result"; readonly result: JobResult }
  | { readonly kind: "unknown"; readonly problem: string }

/** Field names as on the wire. `nonce`: hex without leading zeros; `work`: the same number in 128 digits. */
export interface JobResult {
  readonly status: "completed" | "failed" | "cancelled"
  readonly job_id: string
  readonly nonce: string | null
  readonly work: string | null
  /** u64 */
  readonly hash_count: bigint
  /** Seconds. */
  readonly elapsed_time: number
}

export const readyMessage = (token: string): string => JSON.stringify({ Ready: { token } })

/** @param header 32 bytes. @param difficulty a U512 */
export function newJobMessage(id: string, header: Uint8Array, difficulty: bigint): string {
  return JSON.stringify({
    NewJob: { job_id: id, mining_hash: header.toHex(), difficulty: difficulty.toString() },
  })
}

/**
 * @param nonce 64 bytes, big-endian. @param hashes nonces tested for the job, a u64. @param seconds duration of the
 * search
 */
export function completedMessage(id: string, nonce: Uint8Array, hashes: bigint, seconds: number): string {
  return jobResultMessage({
    status: "completed",
    job_id: id,
    nonce: bytesToInteger(nonce).toString(16),
    work: nonce.toHex(),
    hash_count: hashes,
    elapsed_time: seconds,
  })
}

/** The answer to a job that cannot be mined. */
export function failedMessage(id: string): string {
  return jobResultMessage({ status: "failed", job_id: id, nonce: null, work: null, hash_count: 0n, elapsed_time: 0 })
}

/** Reads the JSON of one frame from a node; never throws. Unknown fields are ignored. */
export function parseNodeMessage(json: string): NodeMessage {
  const message = parseObject(json)
  if (!message) return { kind: "unknown", problem: "no JSON object" }
  if (!Object.hasOwn(message, "NewJob")) return { kind: "unknown", problem: tagsOf(message) }
  return parseJob(message.NewJob)
}

/** Reads the JSON of one frame from a miner; never throws. Unknown fields are ignored. */
export function parseMinerMessage(json: string): MinerMessage {
  const message = parseObject(json)
  if (!message) return { kind: "unknown", problem: "no JSON object" }
  if (Object.hasOwn(message, "Ready")) {
    const ready = asObject(message.Ready)
    if (typeof ready?.token === "string") return { kind: "ready", token: ready.token }
    return { kind: "unknown", problem: "Ready without a token" }
  }
  if (Object.hasOwn(message, "JobResult")) {
    const result = parseResult(message.JobResult)
    return result ? { kind: "result", result } : { kind: "unknown", problem: "a malformed JobResult" }
  }
  return { kind: "unknown", problem: tagsOf(message) }
}

function parseJob(value: unknown): NodeMessage {
  const job = asObject(value)
  const id = job?.job_id
  if (!job || typeof id !== "string") return { kind: "unknown", problem: "NewJob without a job_id" }
  if (!fitsFrame(failedMessage(id))) return { kind: "unknown", problem: "a job_id too long to be answered" }
  const bad = (problem: string): NodeMessage => ({ kind: "badJob", id, problem })
  const header = parseHeader(job.mining_hash)
  if (!header) return bad("mining_hash is not 64 hex digits")
  const difficulty = parseDifficulty(job.difficulty)
  if (difficulty === undefined) return bad("difficulty is not a decimal number from 1 to 2^512 − 1")
  if (!fitsFrame(completedMessage(id, LONGEST_NONCE, 2n ** 64n - 1n, LONGEST_SECONDS))) {
    return bad("job_id is too long for a result")
  }
  return { kind: "job", id, header, difficulty }
}

/** 64 hex digits in either case, with or without 0x. */
function parseHeader(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined
  const digits = /^(?:0x)?([0-9a-f]{64})$/i.exec(value)?.[1]
  return digits === undefined ? undefined : Uint8Array.fromHex(digits)
}

function parseDifficulty(value: unknown): bigint | undefined {
  if (typeof value !== "string" || !/^[0-9]{1,155}$/.test(value)) return undefined
  const difficulty = BigInt(value)
  return difficulty >= 1n && difficulty <= U512_MAX ? difficulty : undefined
}

function parseResult(value: unknown): JobResult | undefined {
  const result = asObject(value)
  if (!result) return undefined
  const { status, job_id, nonce, work, hash_count, elapsed_time } = result
  if (status !== "completed" && status !== "failed" && status !== "cancelled") return undefined
  if (typeof job_id !== "string" || typeof elapsed_time !== "number") return undefined
  if (!isTextOrAbsent(nonce) || !isTextOrAbsent(work)) return undefined
  if (typeof hash_count !== "number" || !Number.isInteger(hash_count) || hash_count < 0) return undefined
  const hashes = BigInt(hash_count)
  return { status, job_id, nonce: nonce ?? null, work: work ?? null, hash_count: hashes, elapsed_time }
}

/** `hash_count` is written as a JSON integer of any size. */
function jobResultMessage(result: JobResult): string {
  const { status, job_id, nonce, work, hash_count, elapsed_time } = result
  const head = JSON.stringify({ status, job_id, nonce, work }).slice(0, -1)
  return `{"JobResult":${head},"hash_count":${hash_count},"elapsed_time":${JSON.stringify(elapsed_time)}}}`
}

const LONGEST_NONCE = new Uint8Array(64).fill(0xff)
/** A number whose JSON text has the maximum length. */
const LONGEST_SECONDS = 1.2345678901234567e-100

/** Whether a message fits into a frame. */
export const fitsFrame = (json: string): boolean => Buffer.byteLength(json) <= MAX_FRAME_BYTES

const isTextOrAbsent = (value: unknown): value is string | null | undefined =>
  value == null || typeof value === "string"

/** The members that are read; their types are unchecked. */
type JsonObject = Partial<Record<"NewJob" | "Ready" | "token" | "JobResult" | JobField | keyof JobResult, unknown>>
type JobField = "job_id" | "mining_hash" | "difficulty"

function parseObject(json: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(json))
  } catch {
    return undefined
  }
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** Describes an unknown message by its tags, shortened for a log line. */
function tagsOf(message: JsonObject): string {
  const tags = Object.keys(message).map(tag => tag.replace(/[^\w-]/g, "?"))
  return `a message of kind ${tags.join(", ").slice(0, 40) || "{}"}`
}
