import { expect, test } from "bun:test"
import fc from "fast-check"
import { U512_MAX } from "../../../src/pow/u512.ts"
import { BadRequest, parseMineRequest } from "../../../src/sources/api/mine-request.ts"

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: digits, maxLength: digits })
const job_id = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter(id => !/\p{C}/u.test(id))

test("parses every well-formed request", () => {
  const request = fc.record({
    job_id,
    mining_hash: hex(64),
    difficulty: fc.bigInt({ min: 1n, max: U512_MAX }).map(String),
    nonces: fc.tuple(hex(128), hex(128)),
  })
  fc.assert(
    fc.property(request, ({ nonces, ...fields }) => {
      const [nonce_start, nonce_end] = nonces.toSorted((a, b) => (BigInt(`0x${a}`) < BigInt(`0x${b}`) ? -1 : 1))
      const { id, header, difficulty, range } = parseMineRequest(JSON.stringify({ ...fields, nonce_start, nonce_end }))
      expect(id).toBe(fields.job_id)
      expect(header.toHex()).toBe(fields.mining_hash.toLowerCase())
      expect(String(difficulty)).toBe(fields.difficulty)
      expect(range).toEqual({ first: BigInt(`0x${nonce_start}`), last: BigInt(`0x${nonce_end}`) })
    }),
  )
})

test("rejects every other body as a bad request", () => {
  const fields = fc.record(
    {
      job_id: fc.oneof(job_id, fc.jsonValue()),
      mining_hash: fc.oneof(hex(64), fc.jsonValue()),
      difficulty: fc.jsonValue(),
      nonce_start: fc.oneof(hex(128), fc.jsonValue()),
      nonce_end: fc.oneof(hex(128), fc.jsonValue()),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fields.map(value => JSON.stringify(value)),
      ),
      body => {
        try {
          parseMineRequest(body)
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequest)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
