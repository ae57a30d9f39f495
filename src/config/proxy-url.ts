/** URLs of proxies: `socks5://[USER:PASSWORD@]HOST[:PORT]`, `http://[USER:PASSWORD@]HOST:PORT`. */
import { type Address, addressOf, invisibleCharacter, type Parser, refuse } from "./parse.ts"

export interface ProxyUrl extends Address {
  readonly protocol: "socks5" | "http"
  readonly username?: string | undefined
  readonly password?: string | undefined
}

const SOCKS_PORT = 1080
/** A SOCKS5 proxy receives the length as one byte. */
const MAX_CREDENTIAL_BYTES = 255

const WANTED =
  "socks5://[USER:PASSWORD@]HOST[:PORT] or http://[USER:PASSWORD@]HOST:PORT, with special characters as %XX"

export const proxyUrl: Parser<ProxyUrl> = {
  kind: "text",
  parse(value) {
    const [, scheme, credentials, rest] = /^(socks5h?|http):\/\/(?:([^@]*)@)?([^@/]*)\/?$/i.exec(value) ?? []
    if (scheme === undefined) return refuse(WANTED)
    const protocol = scheme.toLowerCase() === "http" ? "http" : "socks5"
    const address = addressOf(rest!, protocol === "socks5" ? SOCKS_PORT : undefined)
    if (!address) return refuse(WANTED)
    if (credentials === undefined) return { protocol, ...address }
    const [username = "", ...password] = credentials.split(":")
    return { protocol, ...address, username: decoded(username), password: decoded(password.join(":")) }
  },
}

function decoded(text: string): string {
  let value: string
  try {
    value = decodeURIComponent(text)
  } catch {
    return refuse(WANTED)
  }
  const hidden = invisibleCharacter(value)
  if (hidden) return refuse(`a URL whose user and password have no ${hidden}`)
  return Buffer.byteLength(value) > MAX_CREDENTIAL_BYTES ? refuse(WANTED) : value
}
