/** What packages and image contain: the executable that is tested on its own, and for arm64 the same as for x64. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { readTar } from "../../scripts/release/tar.ts"
import { ARTEFACTS, RELEASE, unpack } from "./artefacts.ts"

const PROGRAM = "/usr/bin/quantus-miner"
/** The folders of the C library in the image. */
const LIBRARIES = /\/(ld-linux-[\w-]+\.so\.\d|x86_64-linux-gnu|aarch64-linux-gnu)\b/

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

function output(...command: string[]): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { maxBuffer: 1 << 30 })
  expect(`${command.join(" ")}: ${exitCode} ${exitCode ? stderr : ""}`).toBe(`${command.join(" ")}: 0 `)
  return stdout
}

const fileOf = (pattern: RegExp) => join(RELEASE, readdirSync(RELEASE).find(name => pattern.test(name))!)

/** Mode and digest of each file by its path. */
type Files = ReadonlyMap<string, string>

/** What differs between two variants by intention. */
interface Content {
  readonly files: Files
  /** Scripts, dependencies, settings. */
  readonly metadata: string
}

const filesOf = (tar: Uint8Array): Files =>
  new Map(
    readTar(tar).map(({ path, mode, bytes }) => [
      path.replace(/^(\.?\/)?/, "/"),
      `${mode.toString(8)} ${sha256(bytes)}`,
    ]),
  )

function deb(architecture: string): Content {
  const path = fileOf(new RegExp(`_${architecture}\\.deb$`))
  const control = readTar(output("dpkg-deb", "--ctrl-tarfile", path))
  // The list of digests has the executable's.
  const texts = control.filter(entry => !entry.path.endsWith("md5sums")).map(({ path, bytes }) => `${path}\n${bytes}`)
  return {
    files: filesOf(output("dpkg-deb", "--fsys-tarfile", path)),
    metadata: texts.join("\n").replace(/^(Architecture|Installed-Size): .*$/gm, ""),
  }
}

function rpm(architecture: string): Content {
  const path = fileOf(new RegExp(`\\.${architecture}\\.rpm$`))
  const query = (format: string) => output("rpm", "-qp", "--queryformat", format, path).toString()
  const lines = query("[%{FILENAMES}\\t%{FILEMODES:octal} %{FILEDIGESTS}\\n]").trim().split("\n")
  const scripts = "%{POSTIN}\n%{PREUN}\n%{POSTUN}\n[%{REQUIRES} %{REQUIREVERSION}\n]"
  return {
    files: new Map(lines.map(line => line.split("\t") as [string, string])),
    metadata: query(`${scripts}[%{FILENAMES} %{FILEFLAGS} %{FILEUSERNAME}\n]`),
  }
}

interface Descriptor {
  readonly digest: string
  readonly platform: { readonly architecture: string }
}

/** The layers of the image's variant and its configuration. */
function image(architecture: string): { layers: Uint8Array[]; config: string } {
  const blobs = new Map(readTar(readFileSync(fileOf(/-oci\.tar$/))).map(({ path, bytes }) => [path, bytes]))
  const blob = ({ digest }: Descriptor) => blobs.get(`blobs/${digest.replace(":", "/")}`)!
  const parse = (bytes: Uint8Array) =>
    JSON.parse(`${Buffer.from(bytes)}`) as { manifests: Descriptor[]; layers: Descriptor[]; config: Descriptor }
  const index = parse(blob(parse(blobs.get("index.json")!).manifests[0]!))
  const manifest = parse(blob(index.manifests.find(({ platform }) => platform.architecture === architecture)!))
  const layers = manifest.layers.map(layer => Bun.gunzipSync(new Uint8Array(blob(layer))))
  const { architecture: _, rootfs: __, ...config } = JSON.parse(`${Buffer.from(blob(manifest.config))}`)
  return { layers, config: JSON.stringify(config) }
}

const VARIANTS: Readonly<Record<string, { tool: string; x64: () => Content; arm64: () => Content }>> = {
  deb: { tool: "dpkg-deb", x64: () => deb("amd64"), arm64: () => deb("arm64") },
  rpm: { tool: "rpm", x64: () => rpm("x86_64"), arm64: () => rpm("aarch64") },
  image: { tool: "tar", x64: () => imageContent("amd64"), arm64: () => imageContent("arm64") },
}

function imageContent(architecture: string): Content {
  const { layers, config } = image(architecture)
  const files = layers.flatMap(layer => [...filesOf(layer)])
  return { files: new Map(files.filter(([path]) => !LIBRARIES.test(path))), metadata: config }
}

for (const [kind, { tool, x64, arm64 }] of Object.entries(VARIANTS)) {
  const lacks = Bun.which(tool) ? "" : ` (skipped: needs ${tool})`

  test.skipIf(lacks !== "")(
    `${kind}: both variants hold the tested executable and are alike in the rest${lacks}`,
    () => {
      const [one, other] = [x64(), arm64()]
      for (const [{ files }, target] of [[one, "linux-x64"] as const, [other, "linux-arm64"] as const])
        expect(files.get(PROGRAM)?.split(" ")[1]).toBe(sha256(readFileSync(unpack(target))))
      const rest = ({ files }: Content) => [...files].filter(([path]) => path !== PROGRAM)
      expect(rest(one).length).toBeGreaterThan(2)
      expect(rest(other)).toEqual(rest(one))
      expect(other.metadata).toBe(one.metadata)
    },
  )
}

const arm64 = ARTEFACTS.find(({ name }) => name === "linux-arm64")!

describe.skipIf(arm64.missing !== undefined)(
  `the arm64 image${arm64.missing ? ` (skipped: needs ${arm64.missing})` : ""}`,
  () => {
    const root = mkdtempSync(join(tmpdir(), "quantus-image-"))
    afterAll(() => rmSync(root, { recursive: true, force: true }))

    test("mines on an emulated CPU with its own C library", () => {
      for (const { path, bytes, mode } of image("arm64").layers.flatMap(readTar)) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), bytes, { mode })
      }
      const [emulator] = arm64.command()
      const demo = ["demo", "--difficulty", "2000", "--workers", "1", "--gpu-devices", "0"]
      const { exitCode, stdout, stderr } = Bun.spawnSync([emulator!, "-L", root, join(root, PROGRAM), ...demo], {
        env: { HOME: "/dev/null" },
      })
      expect(`${stdout}${stderr}`).toContain("5 seals accepted")
      expect(exitCode).toBe(0)
    })
  },
)
