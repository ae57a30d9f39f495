import { describe, expect, test } from "bun:test"
import { type ProxyAddress, ProxyRefusal, Tunnel } from "../../../src/sources/stratum/proxy.ts"

const proxy = (more: Partial<ProxyAddress> = {}): ProxyAddress => ({ protocol: "socks5", host: "p", port: 1, ...more })

/** Feeds the answers, each after the request that it belongs to, byte by byte. */
function exchange(to: { host: string; port: number }, options: ProxyAddress, ...answers: number[][]) {
  const sent: string[] = []
  const tunnel = new Tunnel(options, to, bytes => sent.push(Buffer.from(bytes).toString("hex")))
  let rest: Uint8Array | undefined
  for (const byte of answers.flat()) rest = tunnel.push(Uint8Array.of(byte))
  return { sent, rest }
}

const OK = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]

describe("SOCKS5", () => {
  test.each([
    ["pool.example", `030c${Buffer.from("pool.example").toString("hex")}`],
    ["192.0.2.7", "01c0000207"],
    ["2001:db8::1:0:2", "0420010db8000000000000000100000002"],
    ["::ffff:192.0.2.7", "0400000000000000000000ffffc0000207"],
    ["::", `04${"00".repeat(16)}`],
  ])("sends %s as it is: names are resolved by the proxy", (host, bytes) => {
    const { sent, rest } = exchange({ host, port: 3333 }, proxy(), [5, 0], OK)
    expect(sent).toEqual(["050100", `050100${bytes}0d05`])
    expect(rest).toHaveLength(0)
  })

  test("sends credentials only if the proxy asks for them", () => {
    const options = proxy({ username: "me", password: "pw" })
    expect(exchange({ host: "a", port: 1 }, options, [5, 2], [1, 0], OK).sent[1]).toBe("01026d65027077")
    expect(exchange({ host: "a", port: 1 }, options, [5, 0], OK).sent).toHaveLength(2)
  })

  test("returns what follows the handshake", () => {
    const tunnel = new Tunnel(proxy(), { host: "a", port: 1 }, () => {})
    expect(tunnel.push(Uint8Array.of(5, 0, 5, 0, 0, 3, 1, 120, 0))).toBeUndefined()
    expect([...tunnel.push(Uint8Array.of(0, 123, 125))!]).toEqual([123, 125])
  })

  test.each([
    [[72, 84], "its answer is not SOCKS5"],
    [[5, 255], "it requires credentials"],
    [[5, 0, 5, 5, 0, 1], "the connection was refused"],
    [[5, 0, 5, 99, 0, 1], "error 99"],
  ])("%j is a refusal", (bytes, message) => {
    expect(() => exchange({ host: "a", port: 1 }, proxy(), bytes)).toThrow(message)
  })

  test("wrong credentials are a refusal that does not show them", () => {
    const options = proxy({ username: "me", password: "secret" })
    expect(() => exchange({ host: "a", port: 1 }, options, [5, 2, 1, 1])).toThrow(
      new ProxyRefusal("it does not accept the credentials of --proxy"),
    )
  })
})

describe("HTTP", () => {
  const answer = (text: string) => [...Buffer.from(text)]
  const connect = (text: string, more: Partial<ProxyAddress> = {}, host = "pool.example") =>
    exchange({ host, port: 3333 }, proxy({ protocol: "http", ...more }), answer(text))
  const textOf = (sent: string[]) => Buffer.from(sent.join(""), "hex").toString()

  test("asks for the pool by name, and sends credentials", () => {
    const { sent, rest } = connect("HTTP/1.0 200 OK\r\nA: b\r\n\r\n", { username: "me", password: "a:b" })
    expect(textOf(sent)).toBe(
      "CONNECT pool.example:3333 HTTP/1.1\r\nHost: pool.example:3333\r\nProxy-Authorization: Basic bWU6YTpi\r\n\r\n",
    )
    expect(rest).toHaveLength(0)
    expect(textOf(connect("HTTP/1.1 200\r\n\r\n", {}, "2001:db8::1").sent)).toStartWith("CONNECT [2001:db8::1]:3333 ")
  })

  test.each([
    [
      "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
      "it does not accept the credentials of --proxy, or requires some",
    ],
    ["HTTP/1.1 403 Forbidden\u001b[2J\r\n\r\n", "it answered 403 Forbidden[2J"],
    ["SSH-2.0-OpenSSH\r\n\r\n", "its answer is not HTTP"],
    ["x".repeat(17_000), "its answer is not HTTP"],
  ])("%p is a refusal", (text, message) => {
    expect(() => connect(text)).toThrow(message)
  })
})
