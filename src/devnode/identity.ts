/** A node's token and certificate, in the same files as a real node's (protocol §1). */
import { randomBytes } from "node:crypto"
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fingerprint } from "../sources/pin.ts"
import { type CertificateAndKey, createCertificate } from "./certificate.ts"

export const TOKEN_FILE = "miner-auth-token"
export const PIN_FILE = "miner-tls-cert-sha256"
export const CERTIFICATE_FILE = "miner-tls-cert.der"
export const KEY_FILE = "miner-tls-key.der"

export interface Identity extends CertificateAndKey {
  readonly token: string
  /** SHA-256 of the certificate, 64 lower-case hex digits. */
  readonly pin: string
}

/** Creates an identity in memory. */
export async function createIdentity(): Promise<Identity> {
  const { certificate, key } = await createCertificate(new Date())
  return { token: randomBytes(32).toString("hex"), certificate, key, pin: fingerprint(certificate) }
}

/** Writes an identity's four files; only the owner can read the secrets. @param dir created if absent */
export async function saveIdentity(dir: string, { token, certificate, key, pin }: Identity): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writePrivate(join(dir, TOKEN_FILE), `${token}\n`)
  await writePrivate(join(dir, CERTIFICATE_FILE), certificate)
  await writePrivate(join(dir, KEY_FILE), key)
  await writeFile(join(dir, PIN_FILE), `${pin}\n`)
}

/** Reads the identity in `dir`; if absent, creates one there. */
export async function loadOrCreateIdentity(dir: string): Promise<Identity> {
  const files = [TOKEN_FILE, CERTIFICATE_FILE, KEY_FILE].map(file => readFile(join(dir, file)))
  const [token, certificate, key] = await Promise.all(files).catch(error => {
    if (error.code === "ENOENT") return []
    throw error
  })
  if (token && certificate && key) {
    return { token: token.toString().trim(), certificate, key, pin: fingerprint(certificate) }
  }
  const identity = await createIdentity()
  await saveIdentity(dir, identity)
  return identity
}

/** `mode` of `writeFile` applies to new files only. */
async function writePrivate(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content, { mode: 0o600 })
  await chmod(path, 0o600)
}
