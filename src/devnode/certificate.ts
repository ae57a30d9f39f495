import * as asn1 from "asn1js"
import { AttributeTypeAndValue, Certificate, Extension, GeneralName, GeneralNames } from "pkijs"

export interface CertificateAndKey {
  /** X.509, DER. */
  readonly certificate: Uint8Array
  /** PKCS#8, DER. */
  readonly key: Uint8Array
}

const COMMON_NAME = "2.5.4.3"
const SUBJECT_ALT_NAME = "2.5.29.17"
const DNS_NAME = 2
const YEARS = 10

/** Creates an ECDSA P-256 key and a self-signed certificate for `localhost`, like those of a node. */
export async function createCertificate(now: Date): Promise<CertificateAndKey> {
  const pair = (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])) as {
    privateKey: CryptoKey
    publicKey: CryptoKey
  }
  const certificate = new Certificate()
  certificate.version = 2
  certificate.serialNumber = new asn1.Integer({ valueHex: positive(crypto.getRandomValues(new Uint8Array(16))).buffer })
  certificate.issuer.typesAndValues.push(commonName())
  certificate.subject.typesAndValues.push(commonName())
  certificate.notBefore.value = now
  certificate.notAfter.value = new Date(now.getTime() + YEARS * 365 * 24 * 3600 * 1000)
  certificate.extensions = [subjectAltName()]
  await certificate.subjectPublicKeyInfo.importKey(pair.publicKey)
  await certificate.sign(pair.privateKey, "SHA-256")
  return {
    certificate: new Uint8Array(certificate.toSchema().toBER()),
    key: new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
  }
}

const commonName = () =>
  new AttributeTypeAndValue({ type: COMMON_NAME, value: new asn1.Utf8String({ value: "localhost" }) })

function subjectAltName(): Extension {
  const names = new GeneralNames({ names: [new GeneralName({ type: DNS_NAME, value: "localhost" })] })
  return new Extension({ extnID: SUBJECT_ALT_NAME, critical: false, extnValue: names.toSchema().toBER() })
}

/** Sets the top bits to 01: the integer is positive and has no redundant leading byte. */
function positive(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes
}
