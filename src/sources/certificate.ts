/** What a certificate says, for people. */
import { X509Certificate } from "node:crypto"

export interface CertificateFacts {
  /** 64 hex digits. */
  readonly sha256: string
  readonly subject: string
  readonly issuer: string
  /** ISO 8601. */
  readonly validTo: string
  readonly daysLeft: number
}

/** @param certificate DER @param now milliseconds since the epoch @returns undefined if it cannot be read */
export function certificateFacts(certificate: Uint8Array, now: number): CertificateFacts | undefined {
  try {
    const { fingerprint256, subject, issuer, validTo } = new X509Certificate(certificate)
    const end = Date.parse(validTo)
    return {
      sha256: fingerprint256.replaceAll(":", "").toLowerCase(),
      subject: oneLine(subject),
      issuer: oneLine(issuer),
      validTo: new Date(end).toISOString(),
      daysLeft: Math.floor((end - now) / 86_400_000),
    }
  } catch {
    return undefined
  }
}

const oneLine = (name: string | undefined): string =>
  (name ?? "")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 200)
