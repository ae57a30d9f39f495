import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { targetOf } from "../../../src/pow/target.ts"
import { U512_MAX } from "../../../src/pow/u512.ts"
import {
  isKeepalive,
  MalformedMessage,
  messagesOf,
  parseJob,
  parseLoginResult,
  printable,
  readMessage,
  shareVerdict,
  submitLine,
  UnreadableLine,
} from "../../../src/sources/stratum/messages.ts"

const parsePoolMessage = (text: string) => readMessage(messagesOf(text)[0]!)

const captured = (await Bun.file(new URL("../../vectors/stratum-captured.jsonl", import.meta.url)).text())
  .trim()
  .split("\n") as [string, string]

const job = {
  job_id: "1-1",
  mining_hash: "ab".repeat(32),
  extranonce: "00131609",
  difficulty: 1000,
  seq: 1,
}

describe("captured messages", () => {
  test("the answer to a login", () => {
    const message = parsePoolMessage(captured[0])
    if (message.kind !== "answer") throw new Error(message.kind)
    expect(message).toMatchObject({ id: "1" })
    const login = parseLoginResult(message.result)
    expect(login).toMatchObject({ session: "d5adbda4-fd6c-4f33-8924-b3c1ae35dcbc", keepalive: true })
    const first = parseJob(login.job)
    expect(first).toMatchObject({ id: "70655-10000000000", difficulty: 10_000_000_000n, sequence: 70655n })
    expect(first.header.toHex()).toBe("1925e1ae2f620d7162e637fae74fa790ca9526e878e01b52c43c1a762354c961")
    expect(first.extranonce.toHex()).toBe("00131609")
  })

  test("a job", () => {
    const message = parsePoolMessage(captured[1])
    if (message.kind !== "job") throw new Error(message.kind)
    expect(message.clean).toBe(true)
    const next = parseJob(message.job)
    expect(next).toMatchObject({ id: "70257-10000000000", sequence: 70257n })
    expect(next.extranonce.toHex()).toBe("0012e986")
  })

  test("the pool's target equals the target of the difficulty", () => {
    for (const line of captured) {
      const target = /"target":"([0-9a-f]+)"/.exec(line)![1]!
      expect(targetOf(10_000_000_000n)).toBe(BigInt(`0x${target}`))
    }
  })
})

describe("difficulty", () => {
  test.each([
    [1, 1n],
    ["1", 1n],
    [2 ** 53 + 2, 2n ** 53n + 2n],
    [String(U512_MAX), U512_MAX],
    [2000.5, 2001n],
    ["2000.0", 2000n],
    ["2000.5", 2001n],
    ["2e3", 2000n],
    ["1.5E+2", 150n],
    [0.25, 1n],
  ])("%p", (difficulty, expected) => {
    const text = JSON.stringify({ method: "job", params: { job: { ...job, difficulty } } })
    const message = parsePoolMessage(text)
    expect(parseJob((message as { job: unknown }).job).difficulty).toBe(expected)
  })

  test.each([0, -1, "", "0x10", "0.0", "1e999", String(U512_MAX + 1n), null, true])("%p is invalid", difficulty => {
    expect(() => parseJob({ ...job, difficulty })).toThrow(MalformedMessage)
  })
})

describe("target", () => {
  const targetOfText = (text: string) => parseJob({ ...job, target: text })
  const hex = (value: bigint) => value.toString(16).padStart(128, "0")

  test("of 128 digits decides, with or without 0x", () => {
    const target = targetOf(1000n) - 5n
    expect(targetOfText(hex(target))).toMatchObject({ target, difficulty: 1000n })
    expect(targetOfText(`0x${hex(target).toUpperCase()}`)).toMatchObject({ target })
  })

  test("may differ from the difficulty by 1 %, or by 1", () => {
    expect(targetOfText(hex(targetOf(1009n)))).toMatchObject({ target: targetOf(1009n), difficulty: 1000n })
    expect(parseJob({ ...job, difficulty: 1.5, target: hex((2n * U512_MAX) / 3n) }).target).toBe((2n * U512_MAX) / 3n)
    for (const other of [1020n, 980n, 10n ** 10n]) {
      expect(() => targetOfText(hex(targetOf(other)))).toThrow(/disagree: 1000, .* is that of/)
    }
  })

  test("is sufficient without a difficulty", () => {
    const { difficulty, ...rest } = job
    expect(parseJob({ ...rest, target: hex(targetOf(77n)) })).toMatchObject({ difficulty: 77n, target: targetOf(77n) })
  })

  test.each(["ffff", hex(1n).slice(1), `${hex(1n)}0`, hex(0n)])("%p is not guessed: the difficulty decides", text => {
    expect(targetOfText(text)).toMatchObject({ difficulty: 1000n })
    expect(targetOfText(text)).not.toHaveProperty("target")
  })

  test("and difficulty both unusable refuse the job with both values", () => {
    expect(() => parseJob({ ...job, difficulty: "many", target: "00ff" })).toThrow(/many.*00ff/)
  })
})

describe("a line", () => {
  const ids = (text: string) => messagesOf(text).map(({ id }) => id)

  test("may hold several messages, one behind the other or in a list", () => {
    expect(ids('{"id":1,"result":"}{"}{"id":2} {"id":3}')).toEqual([1, 2, 3])
    expect(ids('[{"id":1},{"id":2}]')).toEqual([1, 2])
  })

  test.each(["", "[]", "[1]", "true", '{"id":1}x', '{"id":1', "<html>"])("%p is unreadable", text => {
    expect(() => messagesOf(text)).toThrow(UnreadableLine)
  })

  test("the last of two equal keys counts", () => {
    expect(parsePoolMessage('{"id":1,"id":2,"result":true}')).toMatchObject({ id: "2" })
  })
})

describe("loose readings", () => {
  test("a job may be in a list, have no id text and an unreadable seq", () => {
    const message = parsePoolMessage(JSON.stringify({ method: "job", params: [{ ...job, job_id: "", seq: "next" }] }))
    expect(parseJob((message as { job: unknown }).job)).toMatchObject({ id: "", wireId: "", sequence: undefined })
  })

  test("clean_jobs may be text or a number", () => {
    for (const clean of [false, "false", 0, "0"]) {
      expect(parsePoolMessage(JSON.stringify({ method: "job", params: { job, clean_jobs: clean } }))).toMatchObject({
        clean: false,
      })
    }
    expect(parsePoolMessage(JSON.stringify({ method: "job", params: { job, clean_jobs: "true" } }))).toMatchObject({
      clean: true,
    })
  })

  test("hex may begin with 0x, and the login may give the extranonce", () => {
    const { extranonce, ...rest } = { ...job, mining_hash: `0x${"ab".repeat(32)}` }
    expect(parseJob(rest, "0x0011")).toMatchObject({ extranonce: Uint8Array.of(0, 0x11) })
    expect(parseJob({ ...rest, extranonce: "22" }, "0011")).toMatchObject({ extranonce: Uint8Array.of(0x22) })
  })

  test("a login without a session id gets none back", () => {
    expect(parseLoginResult(true)).toMatchObject({ session: undefined, job: null })
    expect(parseLoginResult({ status: "success", job })).toMatchObject({ session: undefined, job })
    expect(submitLine(2, undefined, "1", new Uint8Array(64), new Uint8Array(64))).toContain('"params":{"job_id":"1"')
    expect(() => parseLoginResult({ status: "banned", id: "s" })).toThrow("login: status banned")
    expect(() => parseLoginResult(null)).toThrow(MalformedMessage)
  })

  test.each([
    "[]",
    "{}",
    '""',
    "0",
    "false",
    '"none"',
    '{"code":0,"message":""}',
    '{"code":0,"message":"OK"}',
    "[0,null]",
  ])("an error of %s beside a result does not reject the share", error => {
    const message = parsePoolMessage(`{"id":2,"error":${error},"result":{"status":"OK"}}`)
    expect(message).toEqual({ kind: "answer", id: "2", result: { status: "OK" } })
  })

  test("an id is read as a number or as text", () => {
    for (const id of ['"17"', "17"]) {
      expect(parsePoolMessage(`{"id":${id},"result":true}`)).toMatchObject({ id: "17" })
    }
    expect(parsePoolMessage('{"result":true}')).toMatchObject({ id: undefined })
  })

  test("the answer to a login needs no status, and its session may be a number", () => {
    expect(parseLoginResult({ id: 7, job: null })).toMatchObject({ session: 7 })
  })

  test("ids are sent back in the type in which they were received", () => {
    const text = `{"method":"job","params":${JSON.stringify(job).replace('"1-1"', "123456789012345678901")}}`
    const message = parsePoolMessage(text) as { job: unknown }
    const { id, wireId } = parseJob(message.job)
    expect(id).toBe("123456789012345678901")
    expect(submitLine(2, 9, wireId, new Uint8Array(64), new Uint8Array(64))).toContain(
      '"id":9,"job_id":123456789012345678901,',
    )
  })
})

test.each([
  { mining_hash: "ab".repeat(31) },
  { mining_hash: `0x${"ab".repeat(31)}` },
  { mining_hash: "zz".repeat(32) },
  { extranonce: "0" },
  { extranonce: "00".repeat(17) },
  { job_id: {} },
  { job_id: null },
  { difficulty: [9007199254740993n] },
])("a job with %p is refused by name", bad => {
  expect(() => parseJob({ ...job, ...bad })).toThrow(Object.keys(bad)[0]!)
})

test("a job needs neither extranonce nor seq, and hex may be upper case", () => {
  const { extranonce, seq, ...rest } = { ...job, mining_hash: "AB".repeat(32) }
  expect(parseJob(rest)).toMatchObject({ extranonce: new Uint8Array(), sequence: undefined, id: "1-1" })
})

test.each<[unknown, true | string]>([
  [{ status: "OK" }, true],
  [true, true],
  ["OK", true],
  [1, true],
  ["accepted", true],
  [{ status: "ACCEPTED" }, true],
  [{ status: true }, true],
  [[true, null], true],
  [["OK"], true],
  [[], "no reason given"],
  [[[true]], "no reason given"],
  [{}, "no reason given"],
  [{ status: "stale" }, "stale"],
  [false, "no reason given"],
  [null, "no reason given"],
])("the answer %p to a share", (result, verdict) => {
  expect(shareVerdict(result)).toBe(verdict)
})

test.each([
  ['{"id":2,"error":{"code":23,"message":"low"}}', "low"],
  ['{"id":2,"result":null,"error":[21,"job not found",null]}', "job not found"],
  ['{"id":2,"error":"stale"}', "stale"],
  ['{"id":2,"error":{"code":1}}', "error 1"],
  ['{"id":2,"error":["Duplicate share"]}', "Duplicate share"],
  ['{"id":2,"error":21}', "error 21"],
  ['{"id":2,"error":{"reason":{"deep":9007199254740993}}}', "no reason given"],
  ['{"id":2,"error":true}', "no reason given"],
])("the error of %s", (line, error) => {
  expect(parsePoolMessage(line)).toMatchObject({ kind: "answer", id: "2", error })
})

test("an error of null is no error", () => {
  expect(parsePoolMessage('{"id":2,"error":null,"result":{"status":"OK"}}')).not.toHaveProperty("error")
})

test("KEEPALIVED is distinguished from the answer to a share", () => {
  expect(isKeepalive({ status: "KEEPALIVED" })).toBe(true)
  expect(isKeepalive({ status: "OK" })).toBe(false)
  expect(isKeepalive(null)).toBe(false)
})

test("a pool's text is stripped of control characters and shortened", () => {
  expect(printable("\u001b[31mred\r\nline\u202e")).toBe("[31mred line")
  expect(printable("x".repeat(1000))).toHaveLength(201)
})

test("every line is a message or malformed", () => {
  const value = fc.jsonValue()
  const shaped = fc.record(
    { id: value, method: fc.oneof(value, fc.constant("job")), params: value, result: value, error: value },
    { requiredKeys: [] },
  )
  const line = fc.oneof(fc.string(), fc.json(), shaped.map(JSON.stringify))
  fc.assert(
    fc.property(line, text => {
      try {
        const message = parsePoolMessage(text)
        if (message.kind === "job") parseJob(message.job)
        else if (message.kind === "answer") parseLoginResult(message.result)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessage)
      }
    }),
    { numRuns: 2000 },
  )
  expect(() => parsePoolMessage("[".repeat(60_000))).toThrow(MalformedMessage)
  expect(() => parsePoolMessage("[".repeat(30_000) + "]".repeat(30_000))).toThrow(MalformedMessage)
})
