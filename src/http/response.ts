import type { Answer } from "./answer.ts"

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

/** The response to one request, after which the connection is closed: no client can queue requests. */
export function responseOf({ status = 200, type, body, headers }: Answer): Response {
  return new Response(body, {
    status,
    headers: { ...SAFE_HEADERS, ...headers, "Content-Type": type, Connection: "close" },
  })
}
