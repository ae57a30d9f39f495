/** Where work comes from, as an operator writes it: `quic://host:9833`, `stratum+tcp://…`, `stratum+tls://…`. */
import { type Address, addressOf, addressText, Malformed, type Parser } from "./parse.ts"

export type Protocol = "quic" | "stratum+tcp" | "stratum+tls"

export interface SourceUrl extends Address {
  readonly protocol: Protocol
}

/** A node's QUIC port, and of old its HTTP port. */
export const NODE_PORT = 9833

const DEFAULT_PORTS: Readonly<Record<Protocol, number | undefined>> = {
  quic: NODE_PORT,
  "stratum+tcp": undefined,
  "stratum+tls": undefined,
}

const WANTED = "quic://HOST[:PORT], stratum+tcp://HOST:PORT or stratum+tls://HOST:PORT"

/** One URL. Credentials in it are refused: they would end up in logs and labels. */
export function sourceUrl(value: string): SourceUrl {
  const [, scheme, rest] = /^([a-z0-9+]+):\/\/(.*?)\/?$/.exec(value) ?? []
  const protocol = (Object.keys(DEFAULT_PORTS) as Protocol[]).find(known => known === scheme)
  const address = protocol && addressOf(rest!, DEFAULT_PORTS[protocol])
  if (!address) throw new Malformed(WANTED)
  return { protocol, ...address }
}

/** One or more URLs, separated by commas. */
export const sourceUrls: Parser<readonly SourceUrl[]> = {
  kind: "text",
  parse: value => value.split(",").map(part => sourceUrl(part.trim())),
}

/** The URL again, in its one spelling: what names a source in logs and labels. */
export function sourceName(url: SourceUrl): string {
  return `${url.protocol}://${addressText(url)}`
}
