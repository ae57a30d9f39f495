/** The HTTP job API (protocol §4) as a `JobSource`: clients post jobs and fetch seals. */
import type { Clock } from "../../clock.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import { type Answer, json } from "../../http/answer.ts"
import { machineHostCheck } from "../../http/host-check.ts"
import type { Route } from "../../http/router.ts"
import { type HttpServer, listenProblem, openServer, urlHost } from "../../http/server.ts"
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
  /** Names in Host headers that are accepted besides the machine's. */
  readonly allowedHosts?: readonly string[] | undefined
  readonly clock: Clock
  readonly log: Log
  readonly limits?: QueueLimits
  /** Called after every answer. @param endpoint `/mine`, `/result`, `/cancel`, `/openapi` or `other` */
  readonly answered?: (endpoint: string, code: number) => void
}

export function createApiSource(options: ApiOptions): JobSource {
  return new ApiSource(options)
}

class ApiSource implements JobSource {
  readonly #options: ApiOptions
  #server: HttpServer | undefined
  #queue: JobQueue | undefined

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** Contains the configured port until the source has started. */
  get name(): string {
    const { host, port } = this.#options
    return `http://${urlHost(host)}:${this.#server?.port ?? port}`
  }

  start(events: SourceEvents): void {
    const { clock, limits = defaultLimits } = this.#options
    try {
      this.#server = this.#listen()
    } catch (error) {
      events.failed(listenError(this.name, error))
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
    await server?.close()
  }

  #listen(): HttpServer {
    const { host, port, token, allowedHosts, log, answered = () => {} } = this.#options
    return openServer({
      host,
      port,
      routes: this.#routes(),
      acceptsHost: machineHostCheck(host, allowedHosts),
      token: () => token,
      refusesWebPages: true,
      error: problem,
      log: log.withTag("http"),
      answered,
    })
  }

  #routes(): readonly Route[] {
    return [
      { method: "POST", path: "/mine", readsBody: true, answer: ({ body }) => this.#mine(body) },
      { method: "GET", path: "/result/*", endpoint: "/result", answer: ({ parameter }) => this.#result(parameter) },
      {
        method: "POST",
        path: "/cancel/*",
        endpoint: "/cancel",
        readsBody: true,
        answer: ({ parameter }) => this.#cancel(parameter),
      },
      { method: "GET", path: "/openapi.json", endpoint: "/openapi", isOpen: true, answer: () => json(openapi) },
    ]
  }

  #mine(body: string): Answer {
    let job: MineRequest
    try {
      job = parseMineRequest(body)
      this.#queue!.add(job)
    } catch (error) {
      if (error instanceof BadRequest) return problem(400, error.message, error.jobId)
      if (error instanceof KnownJob) return problem(409, "a job with this id exists", error.message)
      if (error instanceof QueueFull) return problem(429, "too many unfinished jobs", error.message)
      throw error
    }
    return json({ status: "accepted", job_id: job.id })
  }

  #result(jobId: string): Answer {
    const result = this.#queue!.result(jobId)
    return result ? json(result) : notFound(jobId)
  }

  #cancel(jobId: string): Answer {
    return this.#queue!.cancel(jobId) ? json({ status: "cancelled", job_id: jobId }) : notFound(jobId)
  }
}

const notFound = (jobId: string): Answer => json({ status: "not_found", job_id: jobId }, 404)

const problem = (status: number, message: string, jobId = ""): Answer =>
  json({ status: "error", job_id: jobId, message }, status)

function listenError(name: string, error: unknown): OperatorError {
  return new OperatorError(
    `cannot serve the job API on ${name}: ${listenProblem(error)}; choose another --host or --port`,
    ExitCode.config,
  )
}
