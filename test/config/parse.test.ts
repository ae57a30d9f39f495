import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  address,
  addressOf,
  addressText,
  bigInteger,
  boolean,
  duration,
  host,
  integer,
  labels,
  Malformed,
  type Parser,
} from "../../src/config/parse.ts"

function refuses(parser: Parser<unknown>, ...texts: string[]) {
  for (const text of texts) expect(() => parser.parse(text), text).toThrow(Malformed)
}

describe("integer", () => {
  test("accepts exactly the numbers of its range", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (value, a, b) => {
        const [min, max] = a < b ? [a, b] : [b, a]
        const parser = integer(min, max)
        if (value >= min && value <= max) expect(parser.parse(String(value))).toBe(value)
        else refuses(parser, String(value))
      }),
    )
  })

  test("refuses anything but digits", () => {
    refuses(integer(0, 100), "", " ", "-1", "+1", "1.0", "1e1", "0x10", "1_0", "ten", "١", "5 ", "NaN", "Infinity")
  })
})

test("bigInteger is exact beyond 2^53", () => {
  const difficulty = bigInteger(1n, 2n ** 512n - 1n, "2^512 - 1")
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 512n - 1n), value => {
      expect(difficulty.parse(String(value))).toBe(value)
    }),
  )
  refuses(difficulty, "0", String(2n ** 512n), "9".repeat(1_000_000), "-1", "1n", "1e9")
})

test("boolean accepts six words, case-insensitively", () => {
  for (const text of ["1", "true", "yes", "TRUE", "Yes"]) expect(boolean.parse(text)).toBe(true)
  for (const text of ["0", "false", "no", "False", "NO"]) expect(boolean.parse(text)).toBe(false)
  refuses(boolean, "", "on", "off", "y", "n", "2", "-1", "constructor", "truetrue")
})

test("duration accepts units", () => {
  const parser = duration(0, 86_400)
  const seconds = { "10": 10, "1.5": 1.5, "250ms": 0.25, "10s": 10, "5m": 300, "2h": 7200 }
  for (const [text, value] of Object.entries(seconds)) expect(parser.parse(text)).toBe(value)
  refuses(parser, "", "s", "10 s", "-1", "1d", "1e3", ".5", "25h")
})

describe("address", () => {
  const parser = address(9833)

  test("accepts names, IPv4 and bracketed IPv6, with a port or without", () => {
    expect(parser.parse("node")).toEqual({ host: "node", port: 9833 })
    expect(parser.parse("node.example.org:1")).toEqual({ host: "node.example.org", port: 1 })
    expect(parser.parse("10.0.0.1:65535")).toEqual({ host: "10.0.0.1", port: 65535 })
    expect(parser.parse("[::1]")).toEqual({ host: "::1", port: 9833 })
    expect(parser.parse("[2001:db8::7]:9")).toEqual({ host: "2001:db8::7", port: 9 })
  })

  test("refuses anything else", () => {
    refuses(parser, ":9833", "host:", "host:0", "host:65536", "host:x", "host:1:2", "::1", "[::1", "[]", "[host]:1")
    refuses(parser, "256.1.1.1", "1.2.3", "a b", "host/path", "user@host", "-a", "a..b", "quic://host", "é.org")
  })

  test("round-trips", () => {
    const hosts = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(hosts, fc.integer({ min: 1, max: 65535 }), (name, port) => {
        expect(addressOf(addressText({ host: name, port }))).toEqual({ host: name, port })
      }),
    )
  })

  test("throws only Malformed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), text => {
        try {
          parser.parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed)
        }
      }),
    )
  })
})

test("host accepts IPv6 with brackets and without", () => {
  expect(host.parse("[::1]")).toBe("::1")
  expect(host.parse("::1")).toBe("::1")
  expect(host.parse("0.0.0.0")).toBe("0.0.0.0")
  refuses(host, "", "localhost:9000", "[::1]:1", "*")
})

test("labels are names and values", () => {
  expect(labels.parse("site=a, rack=3,owner=j=k")).toEqual({ site: "a", rack: "3", owner: "j=k" })
  for (const text of ["site", "=a", "site=", "9a=b", "__x=y", "name=x", "a-b=c", "a=1,a=2"]) {
    expect(() => labels.parse(text), text).toThrow()
  }
})
