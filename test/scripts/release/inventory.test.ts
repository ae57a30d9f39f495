import { expect, test } from "bun:test"
import { join } from "node:path"
import packageJson from "../../../package.json" with { type: "json" }
import { components, cycloneDx, provenance, type Release, spdx } from "../../../scripts/release/inventory.ts"
import { LIBC } from "../../../scripts/release/oci.ts"
import { lockedPackages } from "../../../scripts/release/runtimes.ts"
import { TARGETS } from "../../../scripts/release/targets.ts"

const release: Release = {
  version: "1.2.3",
  commit: "0123456789abcdef0123456789abcdef01234567",
  time: 1_764_000_000,
  packages: lockedPackages(join(import.meta.dir, "../../..")),
}

test("every runtime and every direct dependency is named, with its hash; development tools are not", () => {
  const found = components(release)
  const names = found.map(({ name }) => name)
  for (const { runtimePackage } of TARGETS) expect(names).toContain(runtimePackage)
  for (const name of Object.keys(packageJson.dependencies)) expect(names).toContain(name)
  expect(names).not.toContain("typescript")
  for (const { name, digest } of found) {
    if (name !== "libc6") expect(digest).toEqual({ sha512: expect.stringMatching(/^[0-9a-f]{128}$/) })
  }
})

test("the image's C library is named for both architectures, with the hash that the build checks", () => {
  const bom = cycloneDx(release) as { components: { purl: string; hashes: unknown }[] }
  const document = spdx(release) as { packages: { name: string; checksums: unknown }[] }
  const statement = JSON.stringify(provenance(release, new Map(), "urn:builder"))
  for (const [architecture, { sha256 }] of Object.entries(LIBC)) {
    const purl = `pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=${architecture}`
    const component = bom.components.find(part => part.purl === purl)
    expect(component?.hashes).toEqual([{ alg: "SHA-256", content: sha256 }])
    const checksums = [{ algorithm: "SHA256", checksumValue: sha256 }]
    expect(document.packages).toContainEqual(expect.objectContaining({ name: "libc6", checksums }))
    expect(statement).toContain(JSON.stringify({ uri: purl, digest: { sha256 } }))
  }
})

test("references inside the documents lead somewhere", () => {
  const bom = cycloneDx(release) as { components: { "bom-ref": string }[]; dependencies: { dependsOn: string[] }[] }
  const references = bom.components.map(component => component["bom-ref"])
  expect(new Set(references).size).toBe(references.length)
  expect(bom.dependencies[0]!.dependsOn).toEqual(references)
  const document = spdx(release) as {
    packages: { SPDXID: string }[]
    relationships: { relatedSpdxElement: string }[]
  }
  const ids = document.packages.map(({ SPDXID }) => SPDXID)
  expect(new Set(ids).size).toBe(ids.length)
  expect(document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement)).toEqual(ids)
})

test("provenance names each file and the commit, and depends on nothing else", () => {
  const sums = new Map([["a", "00"]])
  const statement = provenance(release, sums, "urn:builder") as { subject: unknown }
  expect(statement.subject).toEqual([{ name: "a", digest: { sha256: "00" } }])
  expect(JSON.stringify(statement)).toContain(`{"gitCommit":"${release.commit}"}`)
  expect(provenance(release, sums, "urn:builder")).toEqual(statement)
})
