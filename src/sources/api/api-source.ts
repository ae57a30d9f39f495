/** The HTTP job API (protocol §4) as a `JobSource`: clients post jobs and fetch seals. */
import { createHash, timingSafeEqual } from "node:crypto"
import { isIPv6 } from "node:net"
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { Job, JobSource, Seal, SourceEvents, Verdict } from "../source.ts"
import { defaultLimits, JobQueue, KnownJob, QueueFull, type QueueLimits } from "./job-queue.ts"
import { BadRequest, type MineRequest, parseMineRequest } from "./mine-request.ts"
import { openapi } from "./openapi.ts"

export interface ApiOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** If set, every request except `/openapi.json` must carry it as a bearer token. */
  readonly token?: string | undefined
  readonly clock: Clock
  readonly log: Log
  readonly limits?: QueueLimits
  /** Called after every answer. */
  readonly answered?: (endpoint: Endpoint, code: number) => void
}

/** A bounded set, because it is a metric's label. */
export type Endpoint = "mine" | "result" | "cancel" | "openapi" | "other"

/** A request needs about 500 bytes. */
const MAX_BODY_BYTES = 4096
const IDLE_SECONDS = 10

export function createApiSource(options: ApiOptions): JobSource {
  return new ApiSource(options)
}

class ApiSource implements JobSource {
  readonly #options: ApiOptions
  #server: Bun.Server<undefined> | undefined
  #queue: JobQueue | undefined

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** Contains the configured port until the source has started. */
  get name(): string {
    const { host, port } = this.#options
    return `http://${isIPv6(host) ? `[${host}]` : host}:${this.#server?.port ?? port}`
  }

  start(events: SourceEvents): void {
    const { clock, limits = defaultLimits } = this.#options
    try {
      this.#server = this.#listen()
    } catch (error) {
      events.failed(listenError(this.name, error as Error & { code?: string }))
      return
    }
    const { name } = this
    // Deferred, because `submit` and `exhausted` start the next job.
    const defer = (report: () => void) => queueMicrotask(() => this.#queue && report())
    const queueEvents = { search: (job: Job) => defer(() => events.job(job)), idle: () => defer(() => events.noJob()) }
    this.#queue = new JobQueue(name, clock, queueEvents, limits)
    events.connected(name)
  }

  async submit(seal: Seal): Promise<Verdict> {
    return { result: this.#queue?.seal(seal) ? "accepted" : "stale" }
  }

  exhausted(job: Job, hashes: bigint, seconds: number): void {
    this.#queue?.exhausted(job, hashes, seconds)
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#queue?.clear()
    this.#queue = undefined
    await server?.stop(true)
  }

  #listen(): Bun.Server<undefined> {
    const { host, port, log, answered } = this.#options
    return Bun.serve({
      hostname: host,
      port,
      development: false,
      // Without it, Bun shares a port in use outside development mode.
      reusePort: false,
      maxRequestBodySize: MAX_BODY_BYTES,
      idleTimeout: IDLE_SECONDS,
      fetch: async request => {
        // Without a usable Host header the runtime reports no complete URL.
        const path = URL.parse(request.url)?.pathname
        const [endpoint, jobId] = path === undefined ? OTHER : route(path)
        const response =
          path === undefined
            ? problem(400, "the Host header is missing or malformed")
            : await this.#answer(request, endpoint, jobId)
        answered?.(endpoint, response.status)
        return response
      },
      error(error) {
        log.error(`a request failed: ${error.stack ?? error.message}`)
        return problem(500, "internal error")
      },
    })
  }

  async #answer(request: Request, endpoint: Endpoint, jobId: string): Promise<Response> {
    // Browsers send Origin with cross-origin requests: web pages must not post jobs to a local miner.
    if (request.headers.has("origin")) return problem(403, "requests from web pages are refused")
    if (endpoint === "other") return problem(404, "no such path")
    const allowed = METHODS[endpoint]
    if (request.method !== allowed) return problem(405, `use ${allowed}`, { allow: allowed })
    if (endpoint === "openapi") return json(200, openapi)
    if (!this.#authorized(request)) return problem(401, "a bearer token is required", { "www-authenticate": "Bearer" })
    if (endpoint === "mine") return await this.#mine(request)
    return endpoint === "result" ? this.#result(jobId) : this.#cancel(jobId)
  }

  async #mine(request: Request): Promise<Response> {
    let job: MineRequest
    try {
      job = parseMineRequest(await request.text())
      this.#queue!.add(job)
    } catch (error) {
      if (error instanceof BadRequest) return problem(400, error.message, {}, error.jobId)
      if (error instanceof KnownJob) return problem(409, "a job with this id exists", {}, error.message)
      if (error instanceof QueueFull) return problem(429, "too many unfinished jobs", {}, error.message)
      throw error
    }
    return json(200, { status: "accepted", job_id: job.id })
  }

  #result(jobId: string): Response {
    const result = this.#queue!.result(jobId)
    return result ? json(200, result) : notFound(jobId)
  }

  #cancel(jobId: string): Response {
    return this.#queue!.cancel(jobId) ? json(200, { status: "cancelled", job_id: jobId }) : notFound(jobId)
  }

  #authorized(request: Request): boolean {
    const { token } = this.#options
    if (token === undefined) return true
    const [, given] = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "") ?? []
    return given !== undefined && timingSafeEqual(digest(given), digest(token))
  }
}

const METHODS: Readonly<Record<Exclude<Endpoint, "other">, "GET" | "POST">> = {
  mine: "POST",
  result: "GET",
  cancel: "POST",
  openapi: "GET",
}

const OTHER: [Endpoint, string] = ["other", ""]

function route(path: string): [Endpoint, string] {
  if (path === "/mine") return ["mine", ""]
  if (path === "/openapi.json") return ["openapi", ""]
  const [, endpoint, id] = /^\/(result|cancel)\/([^/]+)$/.exec(path) ?? []
  try {
    return endpoint === undefined ? ["other", ""] : [endpoint as Endpoint, decodeURIComponent(id!)]
  } catch {
    return ["other", ""]
  }
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const notFound = (jobId: string): Response => json(404, { status: "not_found", job_id: jobId })

const problem = (code: number, message: string, headers = {}, jobId = ""): Response =>
  json(code, { status: "error", job_id: jobId, message }, headers)

const json = (status: number, body: object, headers = {}): Response =>
  Response.json(body, {
    status,
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers },
  })

function listenError(name: string, error: Error & { code?: string }): OperatorError {
  const why = error.code === "EADDRINUSE" ? "the port is in use" : error.message
  return new OperatorError(
    `Cannot serve the job API on ${name}: ${why}; choose another --host or --port.`,
    ExitCode.config,
  )
}
