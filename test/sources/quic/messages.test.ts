import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { U512_MAX } from "../../../src/pow/u512.ts"
import { MAX_FRAME_BYTES } from "../../../src/sources/quic/frames.ts"
import {
  completedMessage,
  failedMessage,
  fitsFrame,
  newJobMessage,
  parseMinerMessage,
  parseNodeMessage,
  readyMessage,
} from "../../../src/sources/quic/messages.ts"

const HASH = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
const job = (fields: object) =>
  parseNodeMessage(JSON.stringify({ NewJob: { job_id: "7", mining_hash: HASH, difficulty: "100", ...fields } }))

describe("messages of a node", () => {
  test("a job", () => {
    expect(job({})).toEqual({ kind: "job", id: "7", header: Uint8Array.fromHex(HASH), difficulty: 100n })
  })

  test("unknown fields are ignored", () => {
    const message = `{"NewJob":{"job_id":"7","mining_hash":"${HASH}","difficulty":"1","x":{"y":[1]}},"Other":null}`
    expect(parseNodeMessage(message).kind).toBe("job")
  })

  test("a hash in upper case or with 0x", () => {
    for (const mining_hash of [HASH.toUpperCase(), `0x${HASH}`, `0X${HASH.toUpperCase()}`]) {
      expect(job({ mining_hash })).toMatchObject({ kind: "job", header: Uint8Array.fromHex(HASH) })
    }
  })

  test("invalid hashes", () => {
    for (const mining_hash of [
      "",
      HASH.slice(1),
      `${HASH}0`,
      `x${HASH.slice(1)}`,
      `0x${HASH.slice(2)}`,
      null,
      7,
      [HASH],
    ]) {
      expect(job({ mining_hash })).toMatchObject({
        kind: "badJob",
        id: "7",
        problem: "mining_hash is not 64 hex digits",
      })
    }
  })

  test("every valid difficulty", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: U512_MAX }), difficulty => {
        expect(job({ difficulty: difficulty.toString() })).toMatchObject({ kind: "job", difficulty })
      }),
    )
    expect(job({ difficulty: U512_MAX.toString() })).toMatchObject({ difficulty: U512_MAX })
    expect(job({ difficulty: "0001" })).toMatchObject({ difficulty: 1n })
  })

  test("invalid difficulties", () => {
    const above = [(U512_MAX + 1n).toString(), "9".repeat(155), "1".repeat(1000)]
    for (const difficulty of [
      "0",
      "000",
      "",
      "-1",
      "+1",
      "1.0",
      "1e3",
      "0x10",
      " 1",
      "1 ",
      "١",
      100,
      null,
      {},
      ...above,
    ]) {
      expect(job({ difficulty })).toMatchObject({ kind: "badJob", id: "7" })
    }
  })

  test("jobs that cannot be answered are unknown", () => {
    for (const job_id of [undefined, null, 7, {}, "x".repeat(1000)]) expect(job({ job_id }).kind).toBe("unknown")
    for (const text of ['{"NewJob":null}', '{"NewJob":[]}', '{"NewJob":"x"}']) {
      expect(parseNodeMessage(text)).toEqual({ kind: "unknown", problem: "NewJob without a job_id" })
    }
  })

  test("a job whose result would not fit into a frame is invalid", () => {
    expect(job({ job_id: "x".repeat(300) }).kind).toBe("job")
    expect(job({ job_id: "x".repeat(700) })).toMatchObject({
      kind: "badJob",
      problem: "job_id is too long for a result",
    })
  })

  test("other messages are unknown, and named", () => {
    expect(parseNodeMessage('{"Ping":{}}')).toEqual({ kind: "unknown", problem: "a message of kind Ping" })
    expect(parseNodeMessage('{"\\u001b[31m":1}')).toEqual({ kind: "unknown", problem: "a message of kind ??31m" })
    for (const text of ["", "{", "null", "[]", "7", '"NewJob"', "\ufffd"]) {
      expect(parseNodeMessage(text)).toEqual({ kind: "unknown", problem: "no JSON object" })
    }
    expect(parseNodeMessage('{"__proto__":{"NewJob":{}}}').kind).toBe("unknown")
  })

  test("parsing never throws", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => void parseNodeMessage(text)))
    const field = fc.jsonValue()
    fc.assert(
      fc.property(
        field,
        field,
        field,
        (job_id, mining_hash, difficulty) => void job({ job_id, mining_hash, difficulty }),
      ),
    )
  })
})

describe("messages of a miner", () => {
  const nonce = new Uint8Array(64)
  nonce.set([0x0a, 0xbc], 62)

  test("a token, unchanged", () => {
    expect(readyMessage('a"b')).toBe('{"Ready":{"token":"a\\"b"}}')
    expect(parseMinerMessage(readyMessage('a"b'))).toEqual({ kind: "ready", token: 'a"b' })
  })

  test("a seal: nonce without leading zeros, work in 128 digits, hash_count as an integer", () => {
    expect(completedMessage("7", nonce, 2n ** 64n - 1n, 0.25)).toBe(
      `{"JobResult":{"status":"completed","job_id":"7","nonce":"abc","work":"${"0".repeat(125)}abc",` +
        '"hash_count":18446744073709551615,"elapsed_time":0.25}}',
    )
    expect(completedMessage("7", new Uint8Array(64), 1n, 0)).toContain('"nonce":"0",')
  })

  test("a failure", () => {
    expect(failedMessage('7"')).toBe(
      '{"JobResult":{"status":"failed","job_id":"7\\"","nonce":null,"work":null,"hash_count":0,"elapsed_time":0}}',
    )
  })

  test("the development node parses the miner's messages", () => {
    const message = parseMinerMessage(completedMessage("7", nonce, 12n, 1.5))
    expect(message).toEqual({
      kind: "result",
      result: {
        status: "completed",
        job_id: "7",
        nonce: "abc",
        work: nonce.toHex(),
        hash_count: 12n,
        elapsed_time: 1.5,
      },
    })
  })

  test("invalid results are unknown", () => {
    const good = JSON.parse(failedMessage("7")).JobResult
    const bad = [
      { status: "done" },
      { job_id: 7 },
      { hash_count: -1 },
      { hash_count: 0.5 },
      { nonce: 7 },
      { elapsed_time: "1" },
    ]
    for (const fields of bad) {
      expect(parseMinerMessage(JSON.stringify({ JobResult: { ...good, ...fields } })).kind).toBe("unknown")
    }
    for (const text of ["", "{}", '{"Ready":{}}', '{"JobResult":null}'])
      expect(parseMinerMessage(text).kind).toBe("unknown")
  })

  test("the result of every valid job fits into a frame", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 700 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (id, s) => {
          const message = newJobMessage(id, new Uint8Array(32), 1n)
          if (!fitsFrame(message) || parseNodeMessage(message).kind !== "job") return
          const work = new Uint8Array(64).fill(255)
          expect(Buffer.byteLength(completedMessage(id, work, 2n ** 64n - 1n, Math.abs(s)))).toBeLessThanOrEqual(
            MAX_FRAME_BYTES,
          )
        },
      ),
    )
  })
})
