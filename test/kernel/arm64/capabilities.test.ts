import { expect, test } from "bun:test"
import { capabilities, capabilitiesIn } from "../../../src/kernel/arm64/capabilities.ts"

const auxiliary = (...words: bigint[]) => new Uint8Array(BigUint64Array.from(words).buffer)

test.each([
  [[16n, 0b11n, 26n, 0b10n], true, true],
  [[16n, 0b01n, 26n, 0b10n], false, true],
  [[33n, 0b11n, 16n, 0b10n, 26n, 0b01n], true, false],
  [[], false, false],
])("the auxiliary vector %p reports NEON: %p, SVE2: %p", (words, neon, sve2) => {
  expect(capabilitiesIn(auxiliary(...words))).toEqual({ neon, sve2 })
})

test("a vector at an odd address is read", () => {
  const bytes = new Uint8Array(33)
  bytes.set(auxiliary(16n, 2n, 0n, 0n), 1)
  expect(capabilitiesIn(bytes.subarray(1))).toEqual({ neon: true, sve2: false })
})

const elsewhere = process.arch === "arm64" ? "" : " (skipped: this machine is not arm64)"

test.skipIf(elsewhere !== "")(`this machine has NEON${elsewhere}`, () => {
  expect(capabilities().neon).toBe(true)
})
