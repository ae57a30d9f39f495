/**
 * The container image: nothing but a C library, a user and the executable, for two architectures in one OCI archive.
 *
 * Source: the OCI image format specification, 1.1.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { type ArchiveEntry, readTar, writeTar } from "./tar.ts"

export type Architecture = "amd64" | "arm64"

export const LIBC_VERSION = "2.36-9+deb12u14"

/** Debian's C library: SHA-256 of the package, the folder of its libraries, and where the loader has to be. */
export const LIBC = {
  amd64: {
    sha256: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf",
    folder: "lib/x86_64-linux-gnu",
    loader: "lib64/ld-linux-x86-64.so.2",
  },
  arm64: {
    sha256: "01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4",
    folder: "lib/aarch64-linux-gnu",
    loader: "lib/ld-linux-aarch64.so.1",
  },
} as const

/** The current archive, and the one that keeps every version. */
/** Limit of a download from one mirror. */
const DOWNLOAD_MS = 120_000
const MIRRORS = ["http://deb.debian.org/debian", "https://snapshot.debian.org/archive/debian/20261101T000000Z"]

/** Besides the loader. A driver of a GPU that is mounted into the container needs some that the executable does not. */
const LIBRARIES = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libresolv.so.2"]

const USER = 10001
const STATE = "/var/lib/quantus-miner"

export interface ImageInput {
  readonly version: string
  readonly commit: string
  /** Of everything in the image, in Unix seconds. */
  readonly time: number
  readonly executables: ReadonlyMap<Architecture, string>
  /** Directory for downloaded packages. */
  readonly cache: string
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: { readonly architecture: Architecture; readonly os: "linux" }
  readonly annotations?: Readonly<Record<string, string>>
}

/** The image as an archive of an OCI layout, and the digest of its index. */
export async function ociImage(input: ImageInput): Promise<{ archive: Uint8Array; digest: string }> {
  const blobs = new Map<string, Uint8Array>()
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const hex = sha256(bytes)
    blobs.set(hex, bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const manifests: Descriptor[] = []
  for (const [architecture, executable] of input.executables) {
    const layers = [
      writeTar(await baseEntries(architecture, input.cache), input.time),
      writeTar([file("usr/bin/quantus-miner", readFileSync(executable), 0o755)], input.time),
    ]
    const config = add("application/vnd.oci.image.config.v1+json", json(configOf(input, architecture, layers)))
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: layers.map(layer => add("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(layer, { level: 6 }))),
    }
    manifests.push({ ...add(manifest.mediaType, json(manifest)), platform: { architecture, os: "linux" } })
  }
  const mediaType = "application/vnd.oci.image.index.v1+json"
  const index = add(mediaType, json({ schemaVersion: 2, mediaType, manifests }))
  const named = { ...index, annotations: { "org.opencontainers.image.ref.name": `quantus-miner:${input.version}` } }
  const entries = [
    file("oci-layout", json({ imageLayoutVersion: "1.0.0" }), 0o644),
    file("index.json", json({ schemaVersion: 2, mediaType, manifests: [named] }), 0o644),
    ...[...blobs].map(([hex, bytes]) => file(`blobs/sha256/${hex}`, bytes, 0o644)),
  ]
  return { archive: writeTar(entries, input.time), digest: index.digest }
}

function configOf({ version, commit, time }: ImageInput, architecture: Architecture, layers: readonly Uint8Array[]) {
  return {
    created: new Date(time * 1000).toISOString(),
    architecture,
    os: "linux",
    config: {
      User: `${USER}:${USER}`,
      ExposedPorts: { "9900/tcp": {} },
      Env: ["PATH=/usr/bin", `MINER_STATE_DIR=${STATE}`],
      Entrypoint: ["/usr/bin/quantus-miner"],
      Cmd: ["serve"],
      WorkingDir: STATE,
      StopSignal: "SIGINT",
      Labels: {
        "org.opencontainers.image.title": "quantus-miner",
        "org.opencontainers.image.description": "Miner for Quantus (QTC)",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.licenses": "MIT",
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(layer => `sha256:${sha256(layer)}`) },
  }
}

/** All but the executable. */
async function baseEntries(architecture: Architecture, cache: string): Promise<ArchiveEntry[]> {
  const { folder, loader } = LIBC[architecture]
  const found = new Map(readTar(await libcTar(architecture, cache)).map(entry => [entry.path, entry]))
  const take = (from: string, to: string): ArchiveEntry => {
    const entry = found.get(`./${from}`)
    if (!entry) throw new Error(`libc6 has no ${from}`)
    return file(to, entry.bytes, 0o755)
  }
  const text = (path: string, content: string) => file(path, Buffer.from(content), 0o644)
  const files = [
    text("etc/group", `root:x:0:\nminer:x:${USER}:\n`),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    text("etc/passwd", `root:x:0:0::/:/sbin/nologin\nminer:x:${USER}:${USER}::${STATE}:/sbin/nologin\n`),
    ...LIBRARIES.map(name => take(`${folder}/${name}`, `${folder}/${name}`)),
    take(`${folder}/${loader.slice(loader.lastIndexOf("/") + 1)}`, loader),
    { ...take("usr/share/doc/libc6/copyright", "usr/share/doc/libc6/copyright"), mode: 0o644 },
  ]
  const parents = files.flatMap(({ path }) => ancestors(path))
  const directories = [...new Set([...parents, "usr/bin/", "tmp/", ...ancestors(`${STATE.slice(1)}/x`)])].sort()
  return [...directories.map(directory), ...files]
}

/** `a/` and `a/b/` for `a/b/c`. */
function ancestors(path: string): string[] {
  const parts = path.split("/").slice(0, -1)
  return parts.map((_, i) => `${parts.slice(0, i + 1).join("/")}/`)
}

function directory(path: string): ArchiveEntry {
  const entry = { path, bytes: new Uint8Array(0), mode: 0o755, directory: true }
  if (path === "tmp/") return { ...entry, mode: 0o1777 }
  // Any user may be chosen at the start.
  return path === `${STATE.slice(1)}/` ? { ...entry, mode: 0o777, owner: USER } : entry
}

/** The files of Debian's libc6, downloaded if absent. */
async function libcTar(architecture: Architecture, cache: string): Promise<Uint8Array> {
  const name = `libc6_${LIBC_VERSION}_${architecture}.deb`
  const path = join(cache, name)
  mkdirSync(cache, { recursive: true })
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, await download(`pool/main/g/glibc/${name}`))
    renameSync(`${path}.new`, path)
  }
  const digest = sha256(readFileSync(path))
  const { sha256: expected } = LIBC[architecture]
  if (digest !== expected) throw new Error(`the SHA-256 of ${path} is ${digest}, not ${expected}`)
  const { success, stdout, stderr } = Bun.spawnSync(["dpkg-deb", "--fsys-tarfile", path])
  if (!success) throw new Error(`dpkg-deb ${path}: ${stderr}`)
  return stdout
}

async function download(path: string): Promise<Uint8Array> {
  const problems: string[] = []
  for (const mirror of MIRRORS) {
    const url = `${mirror}/${path}`
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) })
      if (answer.ok) return new Uint8Array(await answer.arrayBuffer())
      problems.push(`${url}: ${answer.status}`)
    } catch (error) {
      problems.push(`${url}: ${(error as Error).message}`)
    }
  }
  throw new Error(problems.join("; "))
}

const file = (path: string, bytes: Uint8Array, mode: number): ArchiveEntry => ({ path, bytes, mode })

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
