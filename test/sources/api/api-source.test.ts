import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import Ajv2020 from "ajv/dist/2020.js"
import { ExitCode } from "../../../src/errors.ts"
import { openapi } from "../../../src/sources/api/openapi.ts"
import { Recorder, sealOf } from "../recorder.ts"
import { ApiPeer, WHOLE_RANGE } from "./api-peer.ts"

const ajv = new Ajv2020({ strict: false })
ajv.addSchema({ $id: "api", ...openapi })

const job = { job_id: "job-1", mining_hash: "ab".repeat(32), difficulty: "1000", ...WHOLE_RANGE }

let peer: ApiPeer
let events: Recorder

beforeEach(() => start())
afterEach(() => peer.source.close())

function start(options: ConstructorParameters<typeof ApiPeer>[0] = {}): void {
  peer = new ApiPeer(options)
  events = new Recorder()
  peer.source.start(events)
}

interface Answer {
  readonly code: number
  readonly status?: string
  readonly job_id?: string
  readonly message?: string
  readonly nonce?: string | null
  readonly work?: string | null
  readonly hash_count?: number
}

/** Validates an answer against the API's description. @returns status and body */
async function described(
  path: keyof typeof openapi.paths,
  method: "get" | "post",
  response: Response,
): Promise<Answer> {
  const operation = (openapi.paths[path] as Record<string, { responses: Record<string, object> }>)[method]!
  expect(Object.keys(operation.responses)).toContain(String(response.status))
  const body = (await response.json()) as object
  const pointer = `api#/paths/${path.replaceAll("/", "~1")}/${method}/responses/${response.status}`
  const validate = ajv.getSchema(`${encodeURI(pointer)}/content/application~1json/schema`)!
  expect(validate(body) ? null : validate.errors).toBeNull()
  return { ...body, code: response.status }
}

const mine = async (body: object = job) => described("/mine", "post", await peer.mine(body))
const result = async (id = job.job_id) => described("/result/{job_id}", "get", await peer.get(`/result/${id}`))
const cancel = async (id = job.job_id) => described("/cancel/{job_id}", "post", await peer.post(`/cancel/${id}`))

describe("a job", () => {
  test("is accepted, searched and completed", async () => {
    expect(await mine()).toEqual({ code: 200, status: "accepted", job_id: "job-1" })
    expect(await result()).toMatchObject({ code: 200, status: "running", nonce: null, work: null })
    const slice = await events.nextJob()
    const seal = sealOf(slice)
    expect(await peer.source.submit(seal)).toEqual({ result: "accepted" })
    await events.next("noJob")
    const nonce = seal.nonce.toHex()
    expect(await result()).toMatchObject({ status: "completed", nonce, work: nonce, hash_count: 10 })
  })

  test("fails when its range is exhausted", async () => {
    const nonce = 5n.toString(16).padStart(128, "0")
    await mine({ ...job, nonce_start: nonce, nonce_end: nonce })
    const slice = await events.nextJob()
    expect(slice.range).toEqual({ first: 5n, last: 5n })
    peer.source.exhausted!(slice, 1n, 0.001)
    expect(await result()).toMatchObject({ status: "failed", hash_count: 1 })
  })

  test("is cancelled immediately, and the next begins", async () => {
    await mine()
    await mine({ ...job, job_id: "job 2/ü" })
    await events.nextJob()
    expect(await cancel()).toEqual({ code: 200, status: "cancelled", job_id: "job-1" })
    expect((await events.nextJob()).id).toBe("job 2/ü")
    expect(await result(encodeURIComponent("job 2/ü"))).toMatchObject({ status: "running" })
    expect(await cancel(encodeURIComponent("job 2/ü"))).toMatchObject({ status: "cancelled" })
    await events.next("noJob")
    expect(await cancel()).toEqual({ code: 404, status: "not_found", job_id: "job-1" })
  })

  test("with a known id is refused", async () => {
    await mine()
    expect(await mine()).toMatchObject({ code: 409, status: "error", job_id: "job-1" })
  })

  test("with an unknown id is not found", async () => {
    expect(await result("nothing")).toEqual({ code: 404, status: "not_found", job_id: "nothing" })
    expect(await cancel("nothing")).toEqual({ code: 404, status: "not_found", job_id: "nothing" })
  })

  test("is refused beyond the limit", async () => {
    for (let i = 0; i < 64; i++) await mine({ ...job, job_id: `job-${i}` })
    expect(await mine({ ...job, job_id: "one more" })).toMatchObject({ code: 429, job_id: "one more" })
  })
})

describe("a malformed request", () => {
  test.each([
    ["mining_hash", `0x${"ab".repeat(31)}`],
    ["mining_hash", "ab".repeat(31)],
    ["difficulty", "0"],
    ["difficulty", "0x10"],
    ["difficulty", 1000],
    ["difficulty", (2n ** 512n).toString()],
    ["nonce_start", "0"],
    ["nonce_end", "z".repeat(128)],
    ["job_id", ""],
    ["job_id", "x".repeat(129)],
    ["job_id", "a\nb"],
    ["job_id", undefined],
  ])("is reported with its field: %s %p", async (field, value) => {
    const answer = await mine({ ...job, [field]: value })
    expect(answer).toMatchObject({ code: 400, status: "error", job_id: field === "job_id" ? "" : "job-1" })
    expect(answer.message).toStartWith(`${field}: `)
  })

  test("is a range whose end is before its start", async () => {
    expect(await mine({ ...job, nonce_start: job.nonce_end, nonce_end: job.nonce_start })).toMatchObject({ code: 400 })
  })

  test.each(["", "{", "[]", "null", "7"])("is the body %p", async body => {
    expect(await described("/mine", "post", await peer.post("/mine", body))).toMatchObject({ code: 400 })
  })

  test("is a body over the limit", async () => {
    expect((await peer.post("/mine", " ".repeat(4097))).status).toBe(413)
  })
})

describe("the server", () => {
  test("answers only its paths and methods", async () => {
    expect((await peer.get("/")).status).toBe(404)
    expect((await peer.get("/result/a/b")).status).toBe(404)
    expect((await peer.get("/result/%ff")).status).toBe(404)
    const wrong = await peer.get("/mine")
    expect(wrong.status).toBe(405)
    expect(wrong.headers.get("allow")).toBe("POST")
  })

  test("refuses requests from web pages", async () => {
    const response = await peer.post("/mine", JSON.stringify(job), { origin: "http://page.example" })
    expect(await described("/mine", "post", response)).toMatchObject({ code: 403 })
    expect(events.count("job")).toBe(0)
  })

  test("answers only requests for this machine, or with the token", async () => {
    const host = { host: "evil.example" }
    const refused = await peer.post("/mine", JSON.stringify(job), host)
    expect(await described("/mine", "post", refused)).toMatchObject({ code: 421, status: "error" })
    expect((await peer.get("/openapi.json", host)).status).toBe(421)
    expect(events.count("job")).toBe(0)
    await peer.source.close()
    start({ allowedHosts: ["rig.example"], token: "secret" })
    const authorization = "Bearer secret"
    expect((await peer.get("/openapi.json", { host: "rig.example:9833" })).status).toBe(200)
    expect((await peer.get("/openapi.json", host)).status).toBe(421)
    expect((await peer.get("/openapi.json", { ...host, authorization })).status).toBe(200)
  })

  test("requires the bearer token if one is set", async () => {
    await peer.source.close()
    start({ token: "correct horse" })
    expect(await result()).toMatchObject({ code: 401 })
    const wrong = await peer.get("/result/a", { authorization: "Bearer battery" })
    expect(wrong.status).toBe(401)
    expect((await peer.get("/result/a", { authorization: "Bearer correct horse" })).status).toBe(404)
    expect((await peer.get("/openapi.json")).status).toBe(200)
  })

  test("describes itself", async () => {
    const document = await (await peer.get("/openapi.json")).json()
    expect(document).toEqual(JSON.parse(JSON.stringify(openapi)))
  })

  test("reports every answer", async () => {
    await peer.source.close()
    const answers: [string, number][] = []
    start({ answered: (endpoint, code) => answers.push([endpoint, code]) })
    await mine()
    await result()
    await peer.get("/favicon.ico")
    expect(answers).toEqual([
      ["/mine", 200],
      ["/result", 200],
      ["other", 404],
    ])
  })

  test.each([
    ["without a Host header", "GET /result/a HTTP/1.0\r\n\r\n"],
    ["with an open bracket as its host", "GET /result/a HTTP/1.1\r\nHost: [::1\r\n\r\n"],
    ["with a blank in its host", "GET /result/a HTTP/1.1\r\nHost: a b\r\n\r\n"],
    ["with a port out of range", "GET /result/a HTTP/1.1\r\nHost: a:99999999\r\n\r\n"],
  ])("answers a request %s with 400, counted, before it asks for the token", async (_, request) => {
    await peer.source.close()
    const answers: [string, number][] = []
    start({ token: "correct horse", answered: (endpoint, code) => answers.push([endpoint, code]) })
    const answer = Promise.withResolvers<string>()
    await Bun.connect({
      hostname: "127.0.0.1",
      port: Number(new URL(peer.source.name).port),
      socket: {
        open: socket => void socket.write(request),
        data: (socket, data) => {
          answer.resolve(data.toString())
          socket.end()
        },
        close: () => answer.resolve(""),
      },
    })
    expect(await answer.promise).toStartWith("HTTP/1.1 400 ")
    expect(answers).toEqual([["other", 400]])
    expect(peer.log.lines).toEqual([])
  })

  test("fails if its port is in use", async () => {
    const port = Number(new URL(peer.source.name).port)
    const other = new ApiPeer({ port })
    const failures = new Recorder()
    other.source.start(failures)
    const { error } = await failures.next("failed")
    expect(error.exitCode).toBe(ExitCode.config)
    expect(error.message).toContain(`127.0.0.1:${port}`)
    await other.source.close()
  })
})
