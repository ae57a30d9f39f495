import { expect, test } from "bun:test"
import { join } from "node:path"
import { releaseNotes } from "../../../scripts/release/notes.ts"
import { TARGETS } from "../../../scripts/release/targets.ts"
import { templates } from "../../../scripts/release/templates.ts"

const ROOT = join(import.meta.dir, "../../..")
const version = "1.2.3"
const url = "https://downloads.example/v1.2.3"
const archives = TARGETS.map(({ name, archive }) => `quantus-miner-${version}-${name}.${archive}`)
const sums = new Map(archives.map((name, i) => [name, `${i}`.repeat(64)]))
const filled = templates(ROOT, { version, sums, url })

test("there is a template for each package manager", () => {
  expect([...filled.keys()]).toEqual(["PKGBUILD", "quantus-miner.nix", "quantus-miner.rb", "scoop.json", "winget.yaml"])
})

test.each([...filled])("%s names archives by their place, each followed by its own digest", (_, text) => {
  const places = [...text.matchAll(/https:\/\/downloads\.example\/v1\.2\.3\/([^"'\s]+)/g)].map(([, name]) => name!)
  expect(places.length).toBeGreaterThan(0)
  for (const name of places) {
    const rest = text.slice(text.indexOf(name))
    expect(`${name} ${/\d{64}/.exec(rest)?.[0]}`).toBe(`${name} ${sums.get(name)}`)
  }
  expect(text).not.toContain("${")
})

test("the manifests for Windows parse", () => {
  expect(JSON.parse(filled.get("scoop.json")!)).toMatchObject({ version, bin: "quantus-miner.exe" })
  expect(Bun.YAML.parse(filled.get("winget.yaml")!)).toMatchObject({ PackageVersion: version })
})

test("PKGBUILD is a shell script that keeps the executable whole", () => {
  const script = `${filled.get("PKGBUILD")}\necho "$pkgver \${source_x86_64[0]} \${options[0]}"`
  const { stdout, stderr } = Bun.spawnSync(["bash", "-euc", script])
  expect(`${stdout}${stderr}`.trim()).toBe(`1.2.3 ${url}/quantus-miner-1.2.3-linux-x64.tar.xz !strip`)
})

test("an archive that the release lacks is an error", () => {
  expect(() => templates(ROOT, { version, sums: new Map(), url })).toThrow("has no archive for linux-x64")
})

test("the notes name each archive, how it was tested, and what changed", () => {
  const notes = releaseNotes(version, "# Changelog\n\n## 1.2.3\n\n- new\n\n## 1.2.2\n\n- old\n")
  for (const [i, { upstreamAsset }] of TARGETS.entries())
    expect(notes).toContain(`| ${archives[i]}${upstreamAsset ? `, ${upstreamAsset}` : ""} |`)
  expect(notes).toContain("built, never run")
  expect(notes).toContain("- new")
  expect(notes).not.toContain("- old")
  expect(releaseNotes(version, "## Unreleased\n\n- next\n")).toContain("- next")
  expect(() => releaseNotes(version, "# Changelog\n")).toThrow("no section 1.2.3")
})
