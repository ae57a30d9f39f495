/**
 * A small, strict HTTP server for monitors and browsers: a fixed set of routes, GET and HEAD, no request bodies, one
 * request per connection. It uses `node:http`, which exposes the request target as sent and times out unfinished
 * requests; `Bun.serve` rewrites absolute-form targets and has no such timeout.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"

export interface Query {
  /** The request's Accept header; empty if absent. */
  readonly accept: string
  readonly parameters: URLSearchParams
}

export interface Answer {
  /** Default: 200. */
  readonly status?: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Route = (query: Query) => Answer | Promise<Answer>

/** Routes by exact path. */
export type Routes = ReadonlyMap<string, Route>

export interface HttpOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly routes: Routes
  readonly clock: Clock
  readonly log: Log
  /** Called after every answer. @param endpoint the route's path, or `other` */
  readonly answered: (endpoint: string, code: number) => void
}

export interface HttpServer {
  /** The port it listens on; undefined while the port is unavailable. */
  readonly port: number | undefined
  /** Closes every connection and stops. Settles when the port is free. */
  close(): Promise<void>
}

const RETRY_AFTER_MS = 30_000
/** Limit for receiving the whole request, and then for each pause while the answer is sent. */
const CLIENT_TIMEOUT_MS = 5000
const MAX_HEADER_BYTES = 8192
const MAX_TARGET_LENGTH = 1024

/** Headers of every answer: no framing, content sniffing, caching, embedding or referrer. */
const SAFE_HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
}

/** Serves until closed. If the port is unavailable, the error is logged and the port is retried every 30 s; never throws. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, clock, log } = options
  let server: Server | undefined
  let cancelRetry = () => {}
  let closed = false

  async function open(): Promise<void> {
    const candidate = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: CLIENT_TIMEOUT_MS,
        requestTimeout: CLIENT_TIMEOUT_MS,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => respond(options, request, response),
    )
    try {
      await listen(candidate, host, port)
    } catch (error) {
      if (closed) return
      log.error(`cannot serve on ${host} port ${port}: ${reasonOf(error)}; mining continues, next attempt in 30 s`)
      cancelRetry = clock.after(RETRY_AFTER_MS, open)
      return
    }
    if (closed) return close(candidate)
    server = candidate
    log.info(`serving http://${urlHost(host)}:${portOf(candidate)}/ and /metrics`)
  }

  await open()
  return {
    get port() {
      return server && portOf(server)
    },
    async close() {
      closed = true
      cancelRetry()
      if (server) await close(server)
      server = undefined
    },
  }
}

async function respond(options: HttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { routes, log, answered } = options
  const target = request.url ?? ""
  const [path = "", search = ""] = target.split("?", 2)
  const route = target.startsWith("/") ? routes.get(path) : undefined
  let answer: Answer
  try {
    answer = refusal(request, target) ?? (await route?.(query(request, search))) ?? plain(404, "no such page")
  } catch (error) {
    log.error(`${path} failed: ${error instanceof Error ? error.stack : error}`)
    answer = plain(500, "internal error; see the log")
  }
  const { status = 200, type, body, headers } = answer
  answered(route ? path : "other", status)
  // One request per connection, so that no client can queue requests without reading the answers.
  response.shouldKeepAlive = false
  response.writeHead(status, {
    ...SAFE_HEADERS,
    ...headers,
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  })
  request.socket.setTimeout(CLIENT_TIMEOUT_MS, () => request.socket.destroy())
  response.end(request.method === "HEAD" ? undefined : body)
}

/** The answer to an invalid request; undefined if valid. */
function refusal({ method, headers }: IncomingMessage, target: string): Answer | undefined {
  if (target.length > MAX_TARGET_LENGTH) return plain(414, "the address is too long")
  if (!target.startsWith("/")) return plain(400, "this is not a proxy: the target must be a path")
  if (method !== "GET" && method !== "HEAD")
    return { ...plain(405, "use GET or HEAD"), headers: { Allow: "GET, HEAD" } }
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
    return plain(413, "a request must not have a body")
  }
  return undefined
}

function query({ headers }: IncomingMessage, search: string): Query {
  return { accept: headers.accept ?? "", parameters: new URLSearchParams(search) }
}

/** One line of plain text. */
export function plain(status: number, line: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${line}\n` }
}

/** A value as JSON. BigInts become decimal strings, because JSON parsers round large integers. */
export function json(value: unknown): Answer {
  const body = JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part))
  return { type: "application/json", body }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, host, () => {
      server.off("error", reject)
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === "EADDRINUSE") return "the port is in use"
  if (code === "EACCES") return "the port requires privileges"
  if (code === "EADDRNOTAVAIL") return "the address does not belong to this machine"
  return message
}
