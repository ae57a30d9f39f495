/** Who may send a request: the token, the Host header and web pages of another origin. */
import type { Log } from "../log.ts"
import { hasBearer } from "./bearer.ts"
import { hostOf } from "./host-check.ts"
import { Refusal } from "./refusal.ts"
import type { Route } from "./router.ts"

export interface AccessOptions {
  /** Whether requests for this host are answered; see `host-check.ts`. */
  readonly acceptsHost: (host: string) => boolean
  /** The token that requests must carry; undefined if the server is open. Called for each request. */
  readonly token?: () => string | undefined
  /** Whether requests that a browser sends for a page of another origin are refused. */
  readonly refusesWebPages?: boolean
  readonly log: Log
}

export class Access {
  readonly #options: AccessOptions
  #hasWarned = false

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Whether a request carries the token, or the server has none. */
  isAuthorized(headers: Headers): boolean {
    const token = this.#token
    return token === undefined || hasBearer(headers.get("authorization"), token)
  }

  /** @throws Refusal: 400 if the Host header is malformed, 421 if it names another machine and no token proves the client */
  checkHost(headers: Headers, authorized: boolean): void {
    const host = hostOf(headers.get("host"))
    if (host === undefined) throw new Refusal(400, "the Host header is missing or malformed")
    const provesItself = authorized && this.#token !== undefined
    if (provesItself || this.#options.acceptsHost(host)) return
    this.#warn(host)
    throw new Refusal(421, "this machine is not known by that name; see --metrics-allowed-hosts")
  }

  /** Browsers send Origin with cross-origin requests. @throws Refusal */
  checkOrigin(headers: Headers): void {
    if (!this.#options.refusesWebPages || !headers.has("origin")) return
    throw new Refusal(403, "requests from web pages are refused")
  }

  /** @throws Refusal */
  checkToken(route: Route, authorized: boolean): void {
    if (route.requiresToken && this.#token === undefined) throw new Refusal(403, "this requires a server with a token")
    if (route.isOpen || authorized) return
    throw new Refusal(401, "a bearer token is required", { "WWW-Authenticate": "Bearer" })
  }

  get #token(): string | undefined {
    return this.#options.token?.()
  }

  #warn(host: string): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#options.log.warn(
      `refused a request for the host "${host}": if it is a name of this machine, ` +
        "list it in --metrics-allowed-hosts (MINER_METRICS_ALLOWED_HOSTS)",
    )
  }
}
