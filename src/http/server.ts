/**
 * The HTTP server of metrics and job API, on `Bun.serve`: a fixed set of routes, one request per connection. The runtime
 * answers requests that it cannot parse by itself; they reach no handler and are not counted.
 */
import type { Log } from "../log.ts"
import { type Answer, type ErrorFormat, plain } from "./answer.ts"
import { hasBearer } from "./bearer.ts"
import { hostOf } from "./host-check.ts"
import { IDLE_SECONDS, MAX_BODY_BYTES, MAX_OPEN_REQUESTS, MAX_TARGET_LENGTH } from "./limits.ts"
import { endpointOf, type Match, matchRoute, methodsOf, type Route } from "./router.ts"

export interface ServerOptions {
  /** Address or name on which it listens. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly routes: readonly Route[]
  /** Whether requests for this host are answered; see `host-check.ts`. */
  readonly acceptsHost: (host: string) => boolean
  /** The token that requests must carry; undefined if the server is open. Called for each request. */
  readonly token?: () => string | undefined
  /** Serves HTTPS if present. */
  readonly tls?: TlsIdentity | undefined
  /** Whether requests that a browser sends for a page of another origin are refused. */
  readonly refusesWebPages?: boolean
  /** Default: plain text. */
  readonly error?: ErrorFormat
  readonly log: Log
  /** Called after every answer. @param endpoint the route's label, or `other` */
  readonly answered: (endpoint: string, code: number) => void
}

/** Certificate chain and private key, both PEM. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
}

export interface HttpServer {
  readonly port: number
  /** Closes every connection and stops. Settles when the port is free. */
  close(): Promise<void>
}

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

/** @throws the runtime's error if the port is unavailable; `listenProblem` describes it */
export function openServer(options: ServerOptions): HttpServer {
  const handler = new Handler(options)
  const { host, port, tls, log } = options
  const server = Bun.serve({
    hostname: host,
    port,
    ...(tls && { tls }),
    development: false,
    // Without it, Bun shares a port in use outside development mode.
    reusePort: false,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_BODY_BYTES,
    fetch: request => handler.respond(request),
    error(error) {
      log.error(`a request failed: ${error.stack ?? error.message}`)
      return new Response(null, { status: 500 })
    },
  })
  return { port: server.port!, close: () => server.stop(true) }
}

/** Why a server cannot listen. */
export function listenProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === "EADDRINUSE") return "the port is in use"
  if (code === "EACCES") return "the port requires privileges"
  if (code === "EADDRNOTAVAIL") return "the address does not belong to this machine"
  return message
}

/** The host as part of a URL. */
export function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host
}

/** An error of the HTTP layer, answered in the server's error format. */
class Refusal {
  readonly status: number
  readonly message: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    this.status = status
    this.message = message
    this.headers = headers
  }
}

class Handler {
  readonly #options: ServerOptions
  #open = 0
  #hasWarned = false

  constructor(options: ServerOptions) {
    this.#options = options
  }

  async respond(request: Request): Promise<Response> {
    this.#open += 1
    try {
      const [endpoint, answer] = await this.#handle(request)
      this.#options.answered(endpoint, answer.status ?? 200)
      return responseOf(answer)
    } finally {
      this.#open -= 1
    }
  }

  /** @returns the endpoint's label and the answer */
  async #handle(request: Request): Promise<[string, Answer]> {
    let match: Match | undefined
    try {
      if (this.#open > MAX_OPEN_REQUESTS) throw new Refusal(503, "too many unfinished requests")
      const authorized = this.#isAuthorized(request)
      this.#checkHost(request, authorized)
      const url = new URL(request.url)
      if (request.url.length - url.origin.length > MAX_TARGET_LENGTH) throw new Refusal(414, "the address is too long")
      match = matchRoute(this.#options.routes, url.pathname)
      this.#checkOrigin(request)
      if (!match) throw new Refusal(404, "no such path")
      const { route, parameter } = match
      this.#checkRoute(route, request, authorized)
      const body = route.readsBody ? await bodyOf(request) : ""
      const { searchParams: query } = url
      const accept = request.headers.get("accept") ?? ""
      return [endpointOf(route), await route.answer({ parameter, query, accept, authorized, body })]
    } catch (error) {
      return [match ? endpointOf(match.route) : "other", this.#errorAnswer(error, match)]
    }
  }

  #isAuthorized({ headers }: Request): boolean {
    const token = this.#options.token?.()
    return token === undefined || hasBearer(headers.get("authorization"), token)
  }

  #checkHost({ headers, url, method }: Request, authorized: boolean): void {
    const { acceptsHost, token, log } = this.#options
    const host = hostOf(headers.get("host"))
    if (host === undefined) throw new Refusal(400, "the Host header is missing or malformed")
    const hasToken = token?.() !== undefined && authorized
    if (!hasToken && !acceptsHost(host)) {
      if (!this.#hasWarned) {
        log.warn(
          `refused a request for the host "${host}": if it is a name of this machine, ` +
            "list it in --metrics-allowed-hosts (MINER_METRICS_ALLOWED_HOSTS)",
        )
      }
      this.#hasWarned = true
      throw new Refusal(421, "this machine is not known by that name; see --metrics-allowed-hosts")
    }
    // The target of CONNECT is a host and a port.
    if (method === "CONNECT" || !URL.canParse(url)) throw new Refusal(400, "the address must be a path")
  }

  #checkOrigin({ headers }: Request): void {
    // Browsers send Origin with cross-origin requests: web pages must not post jobs to a local miner.
    if (!this.#options.refusesWebPages || !headers.has("origin")) return
    throw new Refusal(403, "requests from web pages are refused")
  }

  #checkRoute(route: Route, { method, headers }: Request, authorized: boolean): void {
    const methods = methodsOf(route)
    if (!methods.includes(method)) {
      throw new Refusal(405, `use ${methods.join(" or ")}`, { Allow: methods.join(", ") })
    }
    if (route.requiresToken && this.#options.token?.() === undefined) {
      throw new Refusal(403, "this requires a server with a token")
    }
    if (!route.isOpen && !authorized) {
      throw new Refusal(401, "a bearer token is required", { "WWW-Authenticate": "Bearer" })
    }
    const hasBody = headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) !== 0
    if (hasBody && !route.readsBody) throw new Refusal(413, "a request must not have a body")
  }

  #errorAnswer(error: unknown, match: Match | undefined): Answer {
    const { log, error: format = plain } = this.#options
    if (error instanceof Refusal) {
      const answer = format(error.status, error.message)
      return { ...answer, headers: { ...answer.headers, ...error.headers } }
    }
    log.error(`${match?.route.path} failed: ${error instanceof Error ? error.stack : error}`)
    return format(500, "internal error; see the log")
  }
}

/** @throws Refusal if the body is too large, or does not arrive before the connection is dropped */
async function bodyOf(request: Request): Promise<string> {
  try {
    return await request.text()
  } catch {
    // No answer reaches a client whose connection is closed; the status is only counted.
    throw request.signal.aborted
      ? new Refusal(408, "the body did not arrive in time")
      : new Refusal(413, "the body is too large")
  }
}

function responseOf({ status = 200, type, body, headers }: Answer): Response {
  // One request per connection, so that no client can queue requests without reading the answers.
  return new Response(body, {
    status,
    headers: { ...SAFE_HEADERS, ...headers, "Content-Type": type, Connection: "close" },
  })
}
