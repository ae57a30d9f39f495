/** Authenticode signatures of Windows executables, by osslsigncode. */
import { renameSync } from "node:fs"

export interface Certificate {
  /** A PKCS #12 file with the certificate and its key. */
  readonly pkcs12: string
  /** A file that holds its password. */
  readonly passwordFile: string
  /** Of an RFC 3161 time-stamping authority. With a time stamp the signature outlives the certificate, and its bytes differ each time. */
  readonly timestampUrl?: string
}

/** The certificate that AUTHENTICODE_PKCS12, AUTHENTICODE_PASSWORD_FILE and AUTHENTICODE_TIMESTAMP_URL name, if any. */
export function certificateOf(env: Readonly<Record<string, string | undefined>>): Certificate | undefined {
  const { AUTHENTICODE_PKCS12: pkcs12, AUTHENTICODE_PASSWORD_FILE: passwordFile } = env
  if (!pkcs12) return undefined
  if (!passwordFile) throw new Error("AUTHENTICODE_PKCS12 needs AUTHENTICODE_PASSWORD_FILE")
  const timestampUrl = env["AUTHENTICODE_TIMESTAMP_URL"]
  return { pkcs12, passwordFile, ...(timestampUrl && { timestampUrl }) }
}

/**
 * Signs an executable in place.
 * @param time signing time in the signature, in Unix seconds
 * @throws if osslsigncode fails
 */
export function signAuthenticode(path: string, certificate: Certificate, time: number): void {
  const signed = `${path}.signed`
  const key = ["-pkcs12", certificate.pkcs12, "-readpass", certificate.passwordFile]
  const about = ["-n", "quantus-miner", "-i", "https://www.quantus.com", "-h", "sha256", "-time", `${time}`]
  const stamp = certificate.timestampUrl ? ["-ts", certificate.timestampUrl] : []
  const command = ["osslsigncode", "sign", ...key, ...about, ...stamp, "-in", path, "-out", signed]
  const { success, stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" })
  if (!success) throw new Error(`osslsigncode: ${stdout}${stderr}`)
  renameSync(signed, path)
}
