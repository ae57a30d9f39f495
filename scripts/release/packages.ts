/** Debian and RPM packages by nfpm. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { COMPLETIONS } from "../../src/config/completions.ts"
import { manPage } from "../man-page.ts"
import { GLIBC } from "./targets.ts"

const NFPM = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.1"

const MAINTAINER = "The quantus-miner authors <nobody@example.invalid>"

/** nfpm's path; built by Go into `cache` on first use. */
export function nfpm(cache: string): string {
  const path = join(cache, "nfpm")
  if (!existsSync(path)) run([join(import.meta.dir, "../retry.sh"), "go", "install", NFPM], { GOBIN: cache })
  return path
}

export interface PackageInput {
  readonly root: string
  readonly version: string
  readonly time: number
  /** The executable, not stripped: its program stands behind the sections that `strip` keeps. */
  readonly executable: string
  readonly architecture: "amd64" | "arm64"
  readonly scratch: string
  readonly outdir: string
  readonly nfpm: string
}

/** Writes the .deb and the .rpm of an architecture into `outdir`. */
export function writePackages(input: PackageInput): void {
  const { root, scratch, outdir, time } = input
  const staged = join(scratch, `packages-${input.architecture}`)
  mkdirSync(staged, { recursive: true })
  const stage = (name: string, content: string | Uint8Array) => writeFileSync(join(staged, name), content)
  stage("quantus-miner.service", packagedUnit(readFileSync(join(root, "systemd/quantus-miner.service"), "utf8")))
  stage("copyright", copyright(readFileSync(join(root, "LICENSE"), "utf8")))
  stage("changelog.gz", gzipSync(changelog(input.version, time), { level: 9 }))
  stage("quantus-miner.1.gz", gzipSync(manPage(), { level: 9 }))
  for (const [shell, completions] of Object.entries(COMPLETIONS)) stage(`completions.${shell}`, completions())
  const config = join(staged, "nfpm.yaml")
  const values = {
    VERSION: input.version,
    ARCHITECTURE: input.architecture,
    EXECUTABLE: input.executable,
    STAGED: staged,
    ROOT: root,
    MAINTAINER,
    GLIBC,
  }
  writeFileSync(config, fill(readFileSync(join(root, "deploy/packages/nfpm.yaml"), "utf8"), values))
  for (const packager of ["deb", "rpm"])
    run([input.nfpm, "package", "--packager", packager, "--config", config, "--target", outdir], {
      SOURCE_DATE_EPOCH: `${time}`,
    })
}

/**
 * Puts values in the places of the form `${NAME}`.
 * @throws where a place has no value
 */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`the template has an unknown place ${name}`)
    return value
  })
}

/** The unit for an executable that a package owns. */
export function packagedUnit(unit: string): string {
  const packaged = unit.replaceAll("/usr/local/bin/", "/usr/bin/")
  if (packaged === unit) throw new Error("the unit does not start /usr/local/bin/quantus-miner")
  return packaged
}

/** https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
function copyright(license: string): string {
  const indented = license
    .trim()
    .split("\n")
    .map(line => ` ${line || "."}`)
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: quantus-miner",
    "",
    "Files: *",
    `Copyright: ${/Copyright \(c\) (.*)/.exec(license)![1]}`,
    "License: MIT",
    ...indented,
    "",
  ].join("\n")
}

/** https://www.debian.org/doc/debian-policy/ch-source.html#debian-changelog-debian-changelog */
function changelog(version: string, time: number): string {
  const date = new Date(time * 1000).toUTCString().replace("GMT", "+0000")
  return [
    `quantus-miner (${version}) unstable; urgency=medium`,
    "",
    `  * Release ${version}; its CHANGELOG.md says what changed.`,
    "",
    ` -- ${MAINTAINER}  ${date}`,
    "",
  ].join("\n")
}

function run(command: string[], env: Record<string, string>): void {
  const { success, stdout, stderr } = Bun.spawnSync(command, { env: { ...process.env, ...env } })
  if (!success) throw new Error(`${command.join(" ")}: ${stdout}${stderr}`)
}
