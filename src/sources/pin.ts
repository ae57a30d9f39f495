/** A node's certificate is trusted by its SHA-256 alone (protocol §1), a pool's if the operator gives one. */
import { createHash, timingSafeEqual } from "node:crypto"

/** SHA-256 of a certificate. @param certificate DER. @returns 64 lower-case hex digits, the operator's pin */
export function fingerprint(certificate: Uint8Array): string {
  return createHash("sha256").update(certificate).digest("hex")
}

/** @param certificate DER. @param pin 64 lower-case hex digits */
export function matchesPin(certificate: Uint8Array, pin: string): boolean {
  const [expected, actual] = [Buffer.from(pin), Buffer.from(fingerprint(certificate))]
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
