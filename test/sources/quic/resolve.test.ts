import { expect, test } from "bun:test"
import { resolveHost } from "../../../src/sources/quic/resolve.ts"

test("an IP address resolves to itself", async () => {
  expect(await resolveHost("127.0.0.1")).toEqual(["127.0.0.1"])
  expect(await resolveHost("::1")).toEqual(["::1"])
})

test("localhost resolves to loopback addresses, each once", async () => {
  const addresses = await resolveHost("localhost")
  expect(addresses.some(address => address === "127.0.0.1" || address === "::1")).toBe(true)
  expect(new Set(addresses).size).toBe(addresses.length)
})
