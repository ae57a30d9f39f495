/** The release in dist/release, as `npm run release` left it. */
import { expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { signChecksums } from "../../scripts/release/minisign.ts"
import { TARGETS } from "../../scripts/release/targets.ts"
import { readSignature } from "../support/mach-o-reader.ts"
import { RELEASE, unpack } from "./artefacts.ts"

const ROOT = join(import.meta.dir, "../..")

test("the executables are the same when built in another directory", () => {
  const copy = mkdtempSync(join(tmpdir(), "quantus-rebuild-"))
  try {
    const run = (...command: string[]) => {
      const { exitCode, stderr } = Bun.spawnSync(command, { cwd: copy })
      expect(`${exitCode} ${exitCode ? stderr : ""}`).toBe("0 ")
    }
    run("git", "clone", "--quiet", ROOT, "checkout")
    run("cp", "-a", join(ROOT, "node_modules"), "checkout/node_modules")
    run(process.execPath, "checkout/scripts/release.ts", "--executables", "--outdir", join(copy, "out"))
    const sum = (path: string) => new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex")
    for (const { name, upstreamAsset } of TARGETS) {
      const rebuilt = sum(join(copy, "out", name))
      expect(`${name} ${sum(unpack(name))}`).toBe(`${name} ${rebuilt}`)
      if (upstreamAsset)
        expect(`${upstreamAsset} ${sum(join(RELEASE, upstreamAsset))}`).toBe(`${upstreamAsset} ${rebuilt}`)
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
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
