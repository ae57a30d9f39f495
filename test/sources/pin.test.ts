import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { fingerprint, matchesPin } from "../../src/sources/pin.ts"

const certificate = new TextEncoder().encode("not a certificate, but bytes all the same")
const pin = createHash("sha256").update(certificate).digest("hex")

test("a certificate's fingerprint is the SHA-256 of its bytes", () => {
  expect(fingerprint(certificate)).toBe(pin)
})

test("a certificate matches only its fingerprint", () => {
  expect(matchesPin(certificate, pin)).toBe(true)
  expect(matchesPin(certificate.subarray(1), pin)).toBe(false)
  for (const other of ["", pin.slice(1), `${pin}0`, pin.replace(/^./, c => (c === "0" ? "1" : "0"))]) {
    expect(matchesPin(certificate, other)).toBe(false)
  }
})
