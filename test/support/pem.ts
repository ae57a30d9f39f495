import { createCertificate } from "../../src/devnode/certificate.ts"

/** A self-signed certificate for `localhost` and its key, as PEM. */
export async function createPem(): Promise<{ cert: string; key: string }> {
  const { certificate, key } = await createCertificate(new Date())
  return { cert: pem("CERTIFICATE", certificate), key: pem("PRIVATE KEY", key) }
}

function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g)!
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}
