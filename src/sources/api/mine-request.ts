/** Parses and validates the body of `POST /mine` (protocol §4). */
import { bytesToInteger, U512_MAX } from "../../pow/u512.ts"
import type { NonceRange } from "../source.ts"

export interface MineRequest {
  readonly id: string
  /** 32 bytes. */
  readonly header: Uint8Array
  readonly difficulty: bigint
  readonly range: NonceRange
}

/** An invalid request; `jobId` is empty if the request has no valid one. */
export class BadRequest extends Error {
  override readonly name = "BadRequest"

  constructor(
    message: string,
    readonly jobId = "",
  ) {
    super(message)
  }
}

export const MAX_JOB_ID = 128

interface Fields {
  readonly job_id?: unknown
  readonly mining_hash?: unknown
  readonly difficulty?: unknown
  readonly nonce_start?: unknown
  readonly nonce_end?: unknown
}

/** @throws BadRequest, whose message names the field */
export function parseMineRequest(body: string): MineRequest {
  const fields = jsonObject(body)
  const id = jobId(fields.job_id)
  const request = {
    id,
    header: hex(id, "mining_hash", fields.mining_hash, 64),
    difficulty: difficulty(id, fields.difficulty),
    range: {
      first: bytesToInteger(hex(id, "nonce_start", fields.nonce_start, 128)),
      last: bytesToInteger(hex(id, "nonce_end", fields.nonce_end, 128)),
    },
  }
  if (request.range.first > request.range.last) throw new BadRequest("nonce_end: expected at least nonce_start", id)
  return request
}

function jsonObject(body: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw new BadRequest("the body is not JSON")
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadRequest("the body is not a JSON object")
  }
  return value
}

function jobId(value: unknown): string {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_JOB_ID && !/\p{C}/u.test(value)) return value
  throw new BadRequest(`job_id: expected a string of 1 to ${MAX_JOB_ID} printable characters`)
}

function hex(id: string, name: string, value: unknown, digits: number): Uint8Array {
  if (typeof value === "string" && value.length === digits && /^[0-9a-f]+$/i.test(value))
    return Uint8Array.fromHex(value)
  throw new BadRequest(`${name}: expected ${digits} hexadecimal digits without 0x`, id)
}

function difficulty(id: string, value: unknown): bigint {
  if (typeof value === "string" && /^\d{1,155}$/.test(value)) {
    const integer = BigInt(value)
    if (integer >= 1n && integer <= U512_MAX) return integer
  }
  throw new BadRequest("difficulty: expected a decimal string, 1 to 2^512 - 1", id)
}
