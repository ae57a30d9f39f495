/** The status page: one document without external resources, embedded in the executable. */
import { createHash } from "node:crypto"
import type { Answer } from "../http/answer.ts"
import html from "./page/index.html" with { type: "text" }
import style from "./page/style.css" with { type: "text" }
import { pageScript } from "./page/transpile.ts" with { type: "macro" }

const script = pageScript()

const body = html
  .replace("<style></style>", () => `<style>${style}</style>`)
  .replace("<script></script>", () => {
    return `<script>${script}</script>`
  })

/** Only the embedded script and style, identified by digest, are allowed; requests may go to this server only. */
const policy = [
  "default-src 'none'",
  `script-src '${digest(script)}'`,
  `style-src '${digest(style)}'`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

export const page: Answer = {
  type: "text/html; charset=utf-8",
  body,
  headers: { "Content-Security-Policy": policy },
}

function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`
}
