/**
 * A small, strict HTTP server for monitors and people: a fixed set of routes, GET and HEAD, no bodies, one request a
 * connection. It stands on `node:http`, which shows a request's target as it was sent and gives up on clients that do
 * not finish their request; `Bun.serve` hides an absolute-form target and waits.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"

export interface Query {
  /** The request's Accept header, empty where it has none. */
  readonly accept: string
  readonly parameters: URLSearchParams
}

export interface Answer {
  /** 200 where it is not given. */
  readonly status?: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Route = (query: Query) => Answer | Promise<Answer>

/** Answers by exact path. */
export type Routes = ReadonlyMap<string, Route>

export interface HttpOptions {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly routes: Routes
  readonly clock: Clock
  readonly log: Log
  /** Told of every answer. @param endpoint a route's path, or `other` */
  readonly answered: (endpoint: string, code: number) => void
}

export interface HttpServer {
  /** The port it listens on, undefined while it could not be had. */
  readonly port: number | undefined
  /** Drops every connection and stops; settles when the port is free. */
  close(): Promise<void>
}

const RETRY_AFTER = 30_000
/** A client has this long for its whole request, and then for taking each part of the answer. */
const CLIENT_TIMEOUT = 5000
const MAX_HEADERS = 8192
const MAX_TARGET = 1024

/** What no answer is without: nothing here is to be framed, sniffed, cached, embedded or sent on. */
const SAFE_HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
}

/** Serves until closed. A port that cannot be had is an error in the log and is tried again every 30 s: never thrown. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, clock, log } = options
  let server: Server | undefined
  let cancelRetry = () => {}
  let closed = false

  async function open(): Promise<void> {
    const candidate = createServer(
      {
        maxHeaderSize: MAX_HEADERS,
        headersTimeout: CLIENT_TIMEOUT,
        requestTimeout: CLIENT_TIMEOUT,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => respond(options, request, response),
    )
    try {
      await listen(candidate, host, port)
    } catch (error) {
      if (closed) return
      log.error(`cannot serve on ${host} port ${port}: ${reasonOf(error)}; mining goes on, trying again in 30 s`)
      cancelRetry = clock.after(RETRY_AFTER, open)
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
    answer = plain(500, "this should not have happened; the log says more")
  }
  const { status = 200, type, body, headers } = answer
  answered(route ? path : "other", status)
  // One request a connection: nobody can queue requests and leave the answers unread.
  response.shouldKeepAlive = false
  response.writeHead(status, {
    ...SAFE_HEADERS,
    ...headers,
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  })
  request.socket.setTimeout(CLIENT_TIMEOUT, () => request.socket.destroy())
  response.end(request.method === "HEAD" ? undefined : body)
}

/** Why a request is not even looked up. */
function refusal({ method, headers }: IncomingMessage, target: string): Answer | undefined {
  if (target.length > MAX_TARGET) return plain(414, "the address is too long")
  if (!target.startsWith("/")) return plain(400, "this is not a proxy: ask for a path")
  if (method !== "GET" && method !== "HEAD")
    return { ...plain(405, "only GET and HEAD"), headers: { Allow: "GET, HEAD" } }
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
    return plain(413, "a request has no body here")
  }
  return undefined
}

function query({ headers }: IncomingMessage, search: string): Query {
  return { accept: headers.accept ?? "", parameters: new URLSearchParams(search) }
}

/** A line of text. */
export function plain(status: number, line: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${line}\n` }
}

/** A value as JSON; integers of any size as decimal strings, since JSON's own readers round them. */
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
  if (code === "EADDRINUSE") return "the port is taken"
  if (code === "EACCES") return "the port needs privileges"
  if (code === "EADDRNOTAVAIL") return "the address is none of this machine's"
  return message
}
