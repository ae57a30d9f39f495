/**
 * The HTTP server of metrics and job API, on `Bun.serve`: a fixed set of routes, one request per connection. The runtime
 * answers requests that it cannot parse by itself; they reach no handler and are not counted.
 */
import { createHandler, type HandlerOptions } from "./handler.ts"
import { IDLE_SECONDS, MAX_BODY_BYTES } from "./limits.ts"

export interface ServerOptions extends HandlerOptions {
  /** Address or name on which it listens. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Serves HTTPS if present. */
  readonly tls?: TlsIdentity | undefined
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

/** @throws the runtime's error if the port is unavailable; `listenProblem` describes it */
export function openServer(options: ServerOptions): HttpServer {
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
    fetch: createHandler(options),
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
