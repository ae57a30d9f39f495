import type { Answer } from "./answer.ts"

export interface RouteRequest {
  /** The path's last segment, decoded, for a route whose path ends in `/*`; otherwise empty. */
  readonly parameter: string
  readonly query: URLSearchParams
  /** The Accept header; empty if absent. */
  readonly accept: string
  /** Whether the request carries the server's token, or the server has none. */
  readonly authorized: boolean
  /** The body; empty unless the route has `readsBody`. */
  readonly body: string
}

export interface Route {
  /** GET includes HEAD. */
  readonly method: "GET" | "POST"
  /** An exact path, or one that ends in `/*`, which stands for one segment. */
  readonly path: string
  /** Label of the request counter; the path if absent. */
  readonly endpoint?: string
  /** Whether it is answered without the server's token. */
  readonly isOpen?: boolean
  /** Whether it is refused with 403 by a server without a token. */
  readonly requiresToken?: boolean
  /** Whether it accepts a body. */
  readonly readsBody?: boolean
  answer(request: RouteRequest): Answer | Promise<Answer>
}

export interface Match {
  readonly route: Route
  readonly parameter: string
}

/** Finds the route of a path; undefined if absent. @param path percent-encoded */
export function matchRoute(routes: readonly Route[], path: string): Match | undefined {
  const slash = path.lastIndexOf("/") + 1
  const [parent, segment] = [path.slice(0, slash), path.slice(slash)]
  for (const route of routes) {
    if (route.path === path) return { route, parameter: "" }
    const parameter = route.path === `${parent}*` && segment !== "" ? decoded(segment) : undefined
    if (parameter !== undefined) return { route, parameter }
  }
  return undefined
}

export const endpointOf = ({ endpoint, path }: Route): string => endpoint ?? path

export const methodsOf = ({ method }: Route): readonly string[] => (method === "GET" ? ["GET", "HEAD"] : [method])

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
