/**
 * Makes a release on a Linux x64 machine: executables and archives for every platform, packages, a container image,
 * checksums, inventories and provenance. The bytes depend on the commit alone.
 *
 *     bun scripts/release.ts [--outdir DIR]
 *
 * The working tree must be committed. MINISIGN_KEY names a secret key of minisign, which signs SHA256SUMS. RELEASE_BUILDER
 * is a URI for the provenance statement, RELEASE_URL the place of the published files for the templates of package
 * managers. AUTHENTICODE_PKCS12 names a certificate that signs the executable for Windows.
 */
import { createHash } from "node:crypto"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import packageJson from "../package.json" with { type: "json" }
import { bundle } from "./bundle.ts"
import { certificateOf, signAuthenticode } from "./release/authenticode.ts"
import { cycloneDx, provenance, type Release, spdx } from "./release/inventory.ts"
import { signChecksums } from "./release/minisign.ts"
import { releaseNotes } from "./release/notes.ts"
import { type Architecture, ociImage } from "./release/oci.ts"
import { nfpm, writePackages } from "./release/packages.ts"
import { RIG_PACKAGES, rigArchive, rigArchiveName } from "./release/rigs.ts"
import { lockedPackages, runtimeFor } from "./release/runtimes.ts"
import { type ArchiveEntry, writeTar } from "./release/tar.ts"
import { TARGETS, type Target } from "./release/targets.ts"
import { templates } from "./release/templates.ts"
import { writeZip } from "./release/zip.ts"

const ROOT = join(import.meta.dir, "..")
const CACHE = join(ROOT, "node_modules/.cache/release")

try {
  await main()
} catch (error) {
  const errors = error instanceof AggregateError ? error.errors : [error]
  for (const { message } of errors) console.error(`release: ${message}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { outdir: { type: "string", default: join(ROOT, "dist/release") } } })
  const { outdir } = values
  const release = describeRelease()
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  const scratch = mkdtempSync(join(tmpdir(), "quantus-release-"))
  try {
    const executables = new Map<Target, string>()
    for (const target of TARGETS) executables.set(target, await buildExecutable(target, release, scratch))
    for (const [target, path] of executables) publish(target, path, release, outdir)
    const linux = linuxExecutables(executables)
    writeLinuxPackages(linux, release, scratch, outdir)
    writeRigPackages(linux, release, outdir)
    await writeImage(linux, release, outdir)
    writeInventories(release, outdir)
    writeTemplates(release, outdir)
    const changelog = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8")
    writeFileSync(join(outdir, "RELEASE_NOTES.md"), releaseNotes(release.version, changelog))
    writeChecksums(release, outdir)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function describeRelease(): Release {
  const git = (...args: string[]) => output(["git", "-C", ROOT, ...args]).trim()
  if (git("status", "--porcelain")) throw new Error("the working tree has changes that are not committed")
  const [commit, time] = git("log", "-1", "--format=%H %ct").split(" ")
  return { version: packageJson.version, commit: commit!, time: Number(time), packages: lockedPackages(ROOT) }
}

async function buildExecutable(target: Target, { packages, time }: Release, scratch: string): Promise<string> {
  const started = performance.now()
  const locked = packages.get(target.runtimePackage)
  if (!locked) throw new Error(`package-lock.json has no ${target.runtimePackage}`)
  const runtime = runtimeFor(target, locked, CACHE)
  const directory = join(scratch, target.name)
  mkdirSync(directory)
  const foreign = { target: target.bun, runtime }
  const path = await bundle({ outfile: join(directory, "quantus-miner"), bytecode: false, foreign })
  const certificate = certificateOf(process.env)
  if (certificate && target.name.startsWith("windows-")) signAuthenticode(path, certificate, time)
  chmodSync(path, 0o755)
  console.log(`${target.name}: built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return path
}

/** Writes a target's archive, and the executable under the established miner's name. */
function publish(target: Target, executable: string, { version, time }: Release, outdir: string): void {
  const folder = `quantus-miner-${version}-${target.name}`
  const entry = (path: string, from: string, mode: number): ArchiveEntry => ({
    path: `${folder}/${path}`,
    bytes: readFileSync(from),
    mode,
  })
  const systemd = [...new Bun.Glob("systemd/**").scanSync({ cwd: ROOT })].sort()
  const texts = ["LICENSE", "README.md", ...(target.name.startsWith("linux-") ? systemd : [])]
  const entries = [
    entry(target.name.startsWith("windows-") ? "quantus-miner.exe" : "quantus-miner", executable, 0o755),
    ...texts.map(path => entry(path, join(ROOT, path), 0o644)),
  ]
  const archive = join(outdir, `${folder}.${target.archive}`)
  if (target.archive === "zip") writeFileSync(archive, writeZip(entries, time))
  else {
    const tar = archive.replace(/\.xz$/, "")
    writeFileSync(tar, writeTar(entries, time))
    // With two threads the blocks, and so the bytes, are the same on every machine.
    output(["xz", "--threads=2", "--block-size=32MiB", "-1", tar])
  }
  if (target.upstreamAsset) copyFileSync(executable, join(outdir, target.upstreamAsset))
}

/** The executables of packages and images, by the distributions' names of their architectures. */
function linuxExecutables(executables: ReadonlyMap<Target, string>): ReadonlyMap<Architecture, string> {
  const of = (name: string) => [...executables].find(([target]) => target.name === name)![1]
  return new Map([
    ["amd64", of("linux-x64")],
    ["arm64", of("linux-arm64")],
  ])
}

function writeLinuxPackages(
  executables: ReadonlyMap<Architecture, string>,
  { version, time }: Release,
  scratch: string,
  outdir: string,
): void {
  const tool = nfpm(CACHE)
  for (const [architecture, executable] of executables)
    writePackages({ root: ROOT, version, time, executable, architecture, scratch, outdir, nfpm: tool })
}

function writeRigPackages(
  executables: ReadonlyMap<Architecture, string>,
  { version, time }: Release,
  outdir: string,
): void {
  for (const rig of RIG_PACKAGES) {
    const executable = executables.get(rig.architecture)!
    writeFileSync(
      join(outdir, rigArchiveName(rig.name, version)),
      rigArchive(rig, { root: ROOT, version, time, executable }),
    )
  }
}

async function writeImage(
  executables: ReadonlyMap<Architecture, string>,
  { version, commit, time }: Release,
  outdir: string,
): Promise<void> {
  const { archive, digest } = await ociImage({ version, commit, time, executables, cache: CACHE })
  writeFileSync(join(outdir, `quantus-miner-${version}-oci.tar`), archive)
  console.log(`image: ${digest}`)
}

function writeInventories(release: Release, outdir: string): void {
  const documents = { cdx: cycloneDx(release), spdx: spdx(release) }
  for (const [kind, document] of Object.entries(documents))
    writeFileSync(join(outdir, `quantus-miner-${release.version}.${kind}.json`), json(document))
}

function writeTemplates({ version, time }: Release, outdir: string): void {
  const { RELEASE_URL = "https://example.invalid/quantus-miner" } = process.env
  const filled = templates(ROOT, { version, sums: sumsOf(outdir), url: RELEASE_URL })
  const entries = [...filled].map(([path, text]) => ({ path, bytes: Buffer.from(text), mode: 0o644 }))
  writeFileSync(join(outdir, `quantus-miner-${version}-templates.tar`), writeTar(entries, time))
}

/** Writes `SHA256SUMS` and `provenance.json` over everything else, and signs the checksums where a key is given. */
function writeChecksums(release: Release, outdir: string): void {
  const sums = sumsOf(outdir)
  const { MINISIGN_KEY, RELEASE_BUILDER = "urn:quantus-miner:local" } = process.env
  writeFileSync(join(outdir, ".provenance"), json(provenance(release, sums, RELEASE_BUILDER)))
  renameSync(join(outdir, ".provenance"), join(outdir, "provenance.json"))
  sums.set("provenance.json", sha256(join(outdir, "provenance.json")))
  const file = join(outdir, "SHA256SUMS")
  writeFileSync(file, [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join(""))
  if (MINISIGN_KEY) signChecksums(file, MINISIGN_KEY, release.version)
  else console.log("skipped: SHA256SUMS.minisig: MINISIGN_KEY names no key")
  process.stdout.write(readFileSync(file, "utf8"))
}

/** SHA-256 of each file in a directory, by name. */
function sumsOf(directory: string): Map<string, string> {
  const names = readdirSync(directory).sort()
  return new Map(names.map(name => [name, sha256(join(directory, name))]))
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex")
}

/** @throws where the command fails */
function output(command: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" })
  if (!success) throw new Error(`${command.join(" ")}: ${stderr}`)
  return stdout.toString()
}
