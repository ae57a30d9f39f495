/** URLs of job sources: `quic://host:9833`, `stratum+tcp://…`, `stratum+tls://…`. */
import { type Address, addressOf, addressText, type Parser, refuse } from "./parse.ts"

export type Protocol = "quic" | "stratum+tcp" | "stratum+tls"

export interface SourceUrl extends Address {
  readonly protocol: Protocol
  /** The scheme as written, if it is an alias of `stratum+tcp` from other miners. */
  readonly clearScheme?: string
}

/** Default QUIC port of a node; older nodes used it for HTTP. */
export const NODE_PORT = 9833

/** Accepted schemes; aliases from other miners keep their meaning. */
const SCHEMES: Readonly<Record<string, Protocol>> = {
  quic: "quic",
  "stratum+tcp": "stratum+tcp",
  "stratum+tls": "stratum+tls",
  "stratum+ssl": "stratum+tls",
  ssl: "stratum+tls",
  tls: "stratum+tls",
  stratum: "stratum+tcp",
  tcp: "stratum+tcp",
}

const WANTED = "quic://HOST[:PORT], stratum+tcp://HOST:PORT or stratum+tls://HOST:PORT"

/** Parses one URL. Refuses credentials, which would appear in logs and labels. @throws Malformed */
export function sourceUrl(value: string): SourceUrl {
  const [, written = "", rest] = /^([a-z0-9+]+):\/\/(.*?)\/?$/i.exec(value) ?? []
  const scheme = written.toLowerCase()
  const protocol = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  const address = protocol && addressOf(rest!, protocol === "quic" ? NODE_PORT : undefined)
  if (!address) refuse(WANTED)
  const isClearAlias = protocol === "stratum+tcp" && scheme !== protocol
  return { protocol, ...address, ...(isClearAlias && { clearScheme: scheme }) }
}

/** One or more URLs, separated by commas. */
export const sourceUrls: Parser<readonly SourceUrl[]> = {
  kind: "text",
  parse: value => value.split(",").map(part => sourceUrl(part.trim())),
}

/** The canonical URL, which names a source in logs and labels. */
export function sourceName(url: SourceUrl): string {
  return `${url.protocol}://${addressText(url)}`
}
