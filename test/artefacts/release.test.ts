/** The release in dist/release, as `npm run release` left it. */
import { expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { signChecksums } from "../../scripts/release/minisign.ts"
import { GLIBC, TARGETS } from "../../scripts/release/targets.ts"
import { readSignature } from "../support/mach-o-reader.ts"
import { RELEASE, unpack } from "./artefacts.ts"

const ROOT = join(import.meta.dir, "../..")

/** A release takes two minutes; this machine may be busy. */
const RELEASE_MS = 30 * 60_000

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

/** The output of a command, which must succeed. */
function output(...command: string[]): Uint8Array {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: ROOT, maxBuffer: 1 << 30 })
  expect(`${exitCode} ${exitCode ? stderr : ""}`).toBe("0 ")
  return stdout
}

test(
  "a second release, made in another directory, has the same SHA256SUMS",
  () => {
    // On the same file system, so that the packages are linked instead of copied.
    const copy = mkdtempSync(join(ROOT, "dist/again-"))
    try {
      const checkout = join(copy, "checkout")
      output("git", "clone", "--quiet", ROOT, checkout)
      output("cp", "-al", join(ROOT, "node_modules"), join(checkout, "node_modules"))
      output(process.execPath, join(checkout, "scripts/release.ts"))
      const sums = (root: string) => readFileSync(join(root, "dist/release/SHA256SUMS"), "utf8").trim().split("\n")
      expect(sums(checkout)).toEqual(sums(ROOT))
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
  RELEASE_MS,
)

test.each(TARGETS.flatMap(({ name, upstreamAsset }) => (upstreamAsset ? [[upstreamAsset, name] as const] : [])))(
  "%s is the executable in the archive",
  (asset, name) => expect(sha256(readFileSync(join(RELEASE, asset)))).toBe(sha256(readFileSync(unpack(name)))),
)

test.each(["linux-x64", "linux-arm64"])("%s needs no newer glibc than is documented", name => {
  const executable = readFileSync(unpack(name)).toString("latin1")
  const versions = [...executable.matchAll(/\0GLIBC_(\d+\.\d+)(?:\.\d+)?(?=\0)/g)].map(([, version]) => version!)
  expect(versions.sort(Bun.semver.order).at(-1)).toBe(GLIBC)
  for (const path of ["docs/verifying.md", "dist/release/RELEASE_NOTES.md"])
    expect(readFileSync(join(ROOT, path), "utf8")).toContain(`glibc ${GLIBC}`)
})

test.each(TARGETS)("the archive of $name holds the executable, the licence and the README", ({ name }) => {
  const found = readdirSync(join(unpack(name), "..")).sort()
  const program = name.startsWith("windows-") ? "quantus-miner.exe" : "quantus-miner"
  const systemd = name.startsWith("linux-") ? ["systemd"] : []
  expect(found).toEqual(["LICENSE", "README.md", program, ...systemd])
  for (const path of ["LICENSE", "README.md"])
    expect(readFileSync(join(unpack(name), "..", path), "utf8")).toBe(readFileSync(join(ROOT, path), "utf8"))
})

test.each(TARGETS.filter(({ name }) => name.startsWith("darwin-")).map(target => [target.name, target] as const))(
  "%s has a valid ad-hoc signature",
  (_, { upstreamAsset }) => {
    const file = readFileSync(join(RELEASE, upstreamAsset!))
    const valid = { identifier: "quantus-miner", flags: 2, wrongPages: 0, wrongBlobs: 0, endsTogether: true }
    expect(readSignature(file)).toMatchObject(valid)
    // The reader sees a changed byte.
    file[file.length >> 1]! ^= 1
    expect(readSignature(file).wrongPages).toBe(1)
  },
)

const page = readFileSync(join(ROOT, "docs/verifying.md"), "utf8")
const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text!)
const signed = /```sh signed\n(.*?)```/s.exec(page)![1]!

const shell = (commands: string, directory: string) => {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "-euo", "pipefail", "-c", commands], { cwd: directory })
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
}

test("docs/verifying.md has its commands", () => expect(blocks).toHaveLength(4))

test.each(blocks)("docs/verifying.md: %s", commands => {
  const { exitCode, stdout, stderr } = shell(commands, RELEASE)
  expect(`${exitCode} ${stderr}`).toBe("0 ")
  expect(stdout).not.toBe("")
})

const minisign = Bun.which("minisign")
test.skipIf(!minisign)(`docs/verifying.md: ${signed}${minisign ? "" : " (skipped: needs minisign)"}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-signature-"))
  try {
    copyFileSync(join(RELEASE, "SHA256SUMS"), join(directory, "SHA256SUMS"))
    expect(shell("minisign -G -W -p quantus-miner.pub -s quantus-miner.key", directory).exitCode).toBe(0)
    signChecksums(join(directory, "SHA256SUMS"), join(directory, "quantus-miner.key"), "1.2.3")
    const { exitCode, stdout } = shell(signed, directory)
    expect(exitCode).toBe(0)
    expect(stdout).toContain("quantus-miner 1.2.3")
    shell("sed -i '1s/^./x/' SHA256SUMS", directory)
    expect(shell(signed, directory).exitCode).not.toBe(0)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test("a changed file does not pass the documented check", () => {
  const command = "sed '1s/^./x/' SHA256SUMS | sha256sum --check --strict --ignore-missing"
  expect(Bun.spawnSync(["bash", "-c", command], { cwd: RELEASE }).exitCode).not.toBe(0)
})
