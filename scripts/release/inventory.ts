/** What a release contains and how it was made: CycloneDX and SPDX documents, and a SLSA provenance statement. */
import { createHash } from "node:crypto"
import { LIBC, LIBC_VERSION } from "./oci.ts"
import type { LockedPackage } from "./runtimes.ts"
import { TARGETS } from "./targets.ts"

export interface Release {
  readonly version: string
  /** Of git, 40 hexadecimal digits. */
  readonly commit: string
  /** Of the commit, in Unix seconds. */
  readonly time: number
  readonly packages: ReadonlyMap<string, LockedPackage>
}

interface Component {
  /** Unique among the components. */
  readonly id: string
  readonly name: string
  readonly version: string
  readonly license: string
  /** Package URL, https://github.com/package-url/purl-spec */
  readonly purl: string
  /** Of the package as it was published, hexadecimal. */
  readonly digest: { readonly sha256: string } | { readonly sha512: string }
}

/**
 * The packages in the executable, the runtimes, of which each executable contains one, and the C library, whose variant for
 * each architecture is in the image alone.
 */
export function components(release: Release): Component[] {
  return [...npmPackages(release), ...imagePackages()].sort((a, b) => (a.purl < b.purl ? -1 : 1))
}

function npmPackages({ packages }: Release): Component[] {
  const runtimes = new Set(TARGETS.map(({ runtimePackage }) => runtimePackage))
  const chosen = [...packages].filter(([name, { dev }]) => !dev || runtimes.has(name))
  return chosen.map(([name, { version, integrity, license = "NOASSERTION" }]) => ({
    id: name,
    name,
    version,
    license,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    digest: { sha512: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") },
  }))
}

function imagePackages(): Component[] {
  return Object.entries(LIBC).map(([architecture, { sha256 }]) => ({
    id: `libc6-${architecture}`,
    name: "libc6",
    version: LIBC_VERSION,
    license: "LGPL-2.1-or-later",
    purl: `pkg:deb/debian/libc6@${encodeURIComponent(LIBC_VERSION)}?arch=${architecture}`,
    digest: { sha256 },
  }))
}

/** The bits of SHA-2 and the hexadecimal digest. */
function hashOf({ digest }: Component): readonly [bits: string, hex: string] {
  const [[name, hex]] = Object.entries(digest) as [[string, string]]
  return [name.slice("sha".length), hex]
}

const isoTime = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "Z")

/** https://cyclonedx.org/docs/1.6/json/ */
export function cycloneDx(release: Release): unknown {
  const { version, commit, time } = release
  const main = `pkg:generic/quantus-miner@${version}`
  const parts = components(release)
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(`${commit} cyclonedx`)}`,
    version: 1,
    metadata: {
      timestamp: isoTime(time),
      component: {
        type: "application",
        "bom-ref": main,
        name: "quantus-miner",
        version,
        licenses: [{ license: { id: "MIT" } }],
        purl: main,
      },
    },
    components: parts.map(part => {
      const { name, version, license, purl } = part
      const [bits, content] = hashOf(part)
      return {
        type: name.startsWith("@oven/") ? "platform" : "library",
        "bom-ref": purl,
        name,
        version,
        hashes: [{ alg: `SHA-${bits}`, content }],
        licenses: [license === "NOASSERTION" ? { license: { name: license } } : { expression: license }],
        purl,
      }
    }),
    dependencies: [{ ref: main, dependsOn: parts.map(({ purl }) => purl) }],
  }
}

/** https://spdx.github.io/spdx-spec/v2.3/ */
export function spdx(release: Release): unknown {
  const { version, commit, time } = release
  const described = { downloadLocation: "NOASSERTION", filesAnalyzed: false, copyrightText: "NOASSERTION" }
  const main = "SPDXRef-quantus-miner"
  const parts = components(release).map(part => {
    const [bits, checksumValue] = hashOf(part)
    return {
      SPDXID: `SPDXRef-${part.id.replace(/[^\w.-]/g, "-")}`,
      name: part.name,
      versionInfo: part.version,
      ...described,
      licenseConcluded: part.license,
      licenseDeclared: part.license,
      checksums: [{ algorithm: `SHA${bits}`, checksumValue }],
      externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: part.purl }],
    }
  })
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `quantus-miner-${version}`,
    documentNamespace: `urn:uuid:${uuidOf(`${commit} spdx`)}`,
    creationInfo: { created: isoTime(time), creators: ["Tool: quantus-miner-release"] },
    packages: [
      {
        SPDXID: main,
        name: "quantus-miner",
        versionInfo: version,
        ...described,
        licenseConcluded: "MIT",
        licenseDeclared: "MIT",
      },
      ...parts,
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: main },
      ...parts.map(({ SPDXID }) => ({
        spdxElementId: main,
        relationshipType: "CONTAINS",
        relatedSpdxElement: SPDXID,
      })),
    ],
  }
}

/**
 * https://slsa.dev/spec/v1.0/provenance
 * @param builder a URI that names who ran the build
 */
export function provenance(release: Release, sha256: ReadonlyMap<string, string>, builder: string): unknown {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [...sha256].map(([name, digest]) => ({ name, digest: { sha256: digest } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:quantus-miner:npm-run-release",
        externalParameters: { version: release.version, commit: release.commit },
        resolvedDependencies: [
          { name: "source", digest: { gitCommit: release.commit } },
          ...components(release).map(({ purl, digest }) => ({ uri: purl, digest })),
        ],
      },
      runDetails: { builder: { id: builder } },
    },
  }
}

/** A UUID that depends on a text alone (version 8, RFC 9562). */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
}
