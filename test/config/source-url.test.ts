import { expect, test } from "bun:test"
import fc from "fast-check"
import { Malformed } from "../../src/config/parse.ts"
import { sourceName, sourceUrl, sourceUrls } from "../../src/config/source-url.ts"

test("each protocol has a scheme, and only quic has a default port", () => {
  expect(sourceUrl("quic://node")).toEqual({ protocol: "quic", host: "node", port: 9833 })
  expect(sourceUrl("quic://[::1]:1/")).toEqual({ protocol: "quic", host: "::1", port: 1 })
  expect(sourceUrl("stratum+tcp://pool.example:3333")).toMatchObject({ protocol: "stratum+tcp", port: 3333 })
  expect(sourceUrl("QUIC://node")).toMatchObject({ protocol: "quic" })
  expect(sourceUrl("Stratum+TLS://pool.example:3333")).toMatchObject({ protocol: "stratum+tls", port: 3333 })
  expect(sourceUrl("stratum+tls://pool.example:3334")).toMatchObject({ protocol: "stratum+tls", port: 3334 })
})

test("anything else is refused, credentials included", () => {
  for (const text of [
    "",
    "node:9833",
    "http://node:9833",
    "stratum+tcp://pool",
    "http2://pool:1",
    "quic://",
    "quic://a:1/path",
    "quic://user:secret@node:1",
    "quic://a,b",
  ]) {
    expect(() => sourceUrl(text), text).toThrow(Malformed)
  }
})

test("several URLs are separated by commas and keep their order", () => {
  const names = sourceUrls.parse("quic://b, stratum+tcp://a:1,quic://c:2").map(sourceName)
  expect(names).toEqual(["quic://b:9833", "stratum+tcp://a:1", "quic://c:2"])
})

test("a name parses to the same source", () => {
  const urls = fc.record({
    protocol: fc.constantFrom("quic", "stratum+tcp", "stratum+tls"),
    host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
    port: fc.integer({ min: 1, max: 65535 }),
  })
  fc.assert(fc.property(urls, url => expect(sourceUrl(sourceName(url))).toEqual(url)))
})
