/** Tunnels through a SOCKS5 proxy (RFC 1928, RFC 1929) or an HTTP proxy (CONNECT, RFC 9110 §9.3.6). */
import net from "node:net"
import type { DisconnectReason } from "../source.ts"

export interface ProxyAddress {
  readonly protocol: "socks5" | "http"
  /** A name, an IPv4 or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** Sent to the proxy only; at most 255 bytes each for SOCKS5. */
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface Destination {
  /** A name is resolved by the proxy. */
  readonly host: string
  readonly port: number
}

/** The proxy did not open the tunnel. */
export class ProxyRefusal extends Error {
  override readonly name = "ProxyRefusal"
  readonly reason: DisconnectReason

  constructor(message: string, reason: DisconnectReason = "refused") {
    super(message)
    this.reason = reason
  }
}

/** Yields the bytes that it needs next, or `head` for those up to an empty line, and is resumed with them. */
type Handshake = Generator<number | "head", void, Uint8Array>

const MAX_HEAD_BYTES = 16 * 1024

/** One tunnel's handshake, fed with the proxy's bytes in pieces of any size. */
export class Tunnel {
  readonly #handshake: Handshake
  #wanted: number | "head"
  #rest = new Uint8Array()

  /** @param write sends text or bytes to the proxy */
  constructor(proxy: ProxyAddress, to: Destination, write: (bytes: Uint8Array) => void) {
    this.#handshake = proxy.protocol === "socks5" ? socks5(proxy, to, write) : httpConnect(proxy, to, write)
    this.#wanted = this.#handshake.next().value as number | "head"
  }

  /**
   * @returns the bytes behind the handshake once the tunnel is open, which are the destination's; undefined before
   * @throws ProxyRefusal
   */
  push(chunk: Uint8Array): Uint8Array | undefined {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const length = this.#wanted === "head" ? headLength(this.#rest) : this.#wanted
      if (length === undefined || this.#rest.length < length) return undefined
      const [taken, rest] = [this.#rest.subarray(0, length), this.#rest.subarray(length)]
      this.#rest = rest
      const { done, value } = this.#handshake.next(taken)
      if (done) return rest
      this.#wanted = value
    }
  }
}

/** @returns undefined while the head has no end @throws ProxyRefusal */
function headLength(bytes: Uint8Array): number | undefined {
  const end = Buffer.from(bytes).indexOf("\r\n\r\n")
  if (end < 0 && bytes.length > MAX_HEAD_BYTES) throw new ProxyRefusal("its answer is not HTTP", "protocol")
  return end < 0 ? undefined : end + 4
}

const VERSION = 5
const NO_AUTHENTICATION = 0
const USERNAME_PASSWORD = 2
const CONNECT = 1
const IPV4 = 1
const NAME = 3
const IPV6 = 4

const REPLIES: Readonly<Record<number, string>> = {
  1: "general failure",
  2: "its rules do not allow the connection",
  3: "the network is unreachable",
  4: "the host is unreachable",
  5: "the connection was refused",
  6: "the connection timed out",
  7: "it does not support CONNECT",
  8: "it does not support this type of address",
}

function* socks5(
  { username, password = "" }: ProxyAddress,
  to: Destination,
  write: (bytes: Uint8Array) => void,
): Handshake {
  const methods = username === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USERNAME_PASSWORD]
  write(Uint8Array.of(VERSION, methods.length, ...methods))
  const [version, method] = yield 2
  if (version !== VERSION) throw new ProxyRefusal("its answer is not SOCKS5", "protocol")
  if (method === USERNAME_PASSWORD && username !== undefined) {
    const [user, pass] = [Buffer.from(username), Buffer.from(password)]
    write(Uint8Array.of(1, user.length, ...user, pass.length, ...pass))
    const [, status] = yield 2
    if (status !== 0) throw new ProxyRefusal("it does not accept the credentials of --proxy")
  } else if (method !== NO_AUTHENTICATION) {
    throw new ProxyRefusal("it requires credentials, or a method of authentication that is not supported")
  }
  write(Uint8Array.of(VERSION, CONNECT, 0, ...addressBytes(to.host), to.port >> 8, to.port & 0xff))
  const [, reply = 1, , type] = yield 4
  if (reply !== 0) throw new ProxyRefusal(REPLIES[reply] ?? `error ${reply}`)
  const length = type === IPV4 ? 4 : type === IPV6 ? 16 : (yield 1)[0]!
  yield length + 2
}

function addressBytes(host: string): readonly number[] {
  if (net.isIPv4(host)) return [IPV4, ...host.split(".").map(Number)]
  if (net.isIPv6(host)) return [IPV6, ...ipv6Bytes(host)]
  const name = Buffer.from(host)
  return [NAME, name.length, ...name]
}

function ipv6Bytes(host: string): readonly number[] {
  const groups = (text: string): number[] =>
    text === ""
      ? []
      : text.split(":").flatMap(group => {
          if (!group.includes(".")) return [Number.parseInt(group, 16)]
          const [a, b, c, d] = group.split(".").map(Number)
          return [(a! << 8) | b!, (c! << 8) | d!]
        })
  const [head = "", tail] = host.split("::")
  const [before, after] = [groups(head), groups(tail ?? "")]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...new Array<number>(zeros).fill(0), ...after].flatMap(group => [group >> 8, group & 0xff])
}

function* httpConnect(
  { username, password = "" }: ProxyAddress,
  { host, port }: Destination,
  write: (bytes: Uint8Array) => void,
): Handshake {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`
  const credentials = Buffer.from(`${username}:${password}`).toString("base64")
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(username === undefined ? [] : [`Proxy-Authorization: Basic ${credentials}`]),
  ]
  write(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`))
  const head = Buffer.from(yield "head").toString("latin1")
  const [, code = "", text = ""] = /^HTTP\/1\.\d (\d{3}) ?([^\r\n]*)/.exec(head) ?? []
  if (code === "") throw new ProxyRefusal("its answer is not HTTP", "protocol")
  if (code === "407") throw new ProxyRefusal("it does not accept the credentials of --proxy, or requires some")
  if (!code.startsWith("2"))
    throw new ProxyRefusal(`it answered ${code} ${text.replace(/\P{ASCII}|\p{C}/gu, "").slice(0, 80)}`)
}
