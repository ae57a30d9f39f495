import { Access, type AccessOptions } from "./access.ts"
import { type Answer, plain } from "./answer.ts"
import { MAX_OPEN_REQUESTS, MAX_TARGET_LENGTH } from "./limits.ts"
import { type ErrorFormat, Refusal } from "./refusal.ts"
import { responseOf } from "./response.ts"
import { endpointOf, type Match, matchRoute, methodsOf, type Route } from "./router.ts"

export interface HandlerOptions extends AccessOptions {
  readonly routes: readonly Route[]
  /** Default: plain text. */
  readonly error?: ErrorFormat
  /** Called after every answer. @param endpoint the route's label, or `other` */
  readonly answered: (endpoint: string, code: number) => void
}

/** Returns a function that answers requests; it never rejects. */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { routes, answered, log, error: format = plain } = options
  const access = new Access(options)
  let open = 0

  /** @throws Refusal, or the route's error */
  async function answerOf(request: Request, found: (match: Match) => void): Promise<Answer> {
    const { headers } = request
    if (open > MAX_OPEN_REQUESTS) throw new Refusal(503, "too many unfinished requests")
    const authorized = access.isAuthorized(headers)
    access.checkHost(headers, authorized)
    const url = urlOf(request)
    access.checkOrigin(headers)
    const match = matchRoute(routes, url.pathname)
    if (!match) throw new Refusal(404, "no such path")
    found(match)
    const { route, parameter } = match
    checkMethod(route, request)
    access.checkToken(route, authorized)
    const body = await bodyOf(route, request)
    const accept = headers.get("accept") ?? ""
    return await route.answer({ parameter, query: url.searchParams, accept, authorized, body })
  }

  return async request => {
    let endpoint = "other"
    open += 1
    let answer: Answer
    try {
      answer = await answerOf(request, ({ route }) => {
        endpoint = endpointOf(route)
      })
    } catch (error) {
      if (error instanceof Refusal) answer = error.answer(format)
      else {
        log.error(`${endpoint} failed: ${error instanceof Error ? error.stack : error}`)
        answer = format(500, "internal error; see the log")
      }
    } finally {
      open -= 1
    }
    answered(endpoint, answer.status ?? 200)
    return responseOf(answer)
  }
}

/** The URL of a request whose Host header is well-formed. @throws Refusal */
function urlOf({ method, url: text }: Request): URL {
  const url = URL.parse(text)
  // The target of CONNECT is a host and a port.
  if (method === "CONNECT" || !url) throw new Refusal(400, "the address must be a path")
  if (text.length - url.origin.length > MAX_TARGET_LENGTH) throw new Refusal(414, "the address is too long")
  return url
}

/** @throws Refusal */
function checkMethod(route: Route, { method }: Request): void {
  const methods = methodsOf(route)
  if (methods.includes(method)) return
  throw new Refusal(405, `use ${methods.join(" or ")}`, { Allow: methods.join(", ") })
}

/** @throws Refusal if the route reads no body, or the body is too large or does not arrive before the connection is dropped */
async function bodyOf(route: Route, request: Request): Promise<string> {
  const { headers, signal } = request
  if (!route.readsBody) {
    const isAnnounced = headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) !== 0
    if (isAnnounced) throw new Refusal(413, "a request must not have a body")
    return ""
  }
  try {
    return await request.text()
  } catch {
    // No answer reaches a client whose connection is closed; the status is only counted.
    throw signal.aborted
      ? new Refusal(408, "the body did not arrive in time")
      : new Refusal(413, "the body is too large")
  }
}
