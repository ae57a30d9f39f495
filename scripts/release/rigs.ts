/** Packages for the systems of mining rigs: the executable and the scripts by which HiveOS and mmpOS run a custom miner. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Architecture } from "./oci.ts"
import { fill } from "./packages.ts"
import { type ArchiveEntry, writeTar } from "./tar.ts"

/**
 * Each system's files in `deploy/rigs`.
 *
 * Sources: https://github.com/minershive/hiveos-linux/blob/master/hive/miners/custom/README.md,
 * https://github.com/ddobreff/mmpos/blob/main/CUSTOM_MINER.MD
 */
const SYSTEM_FILES = {
  hiveos: ["hiveos/h-manifest.conf", "hiveos/h-config.sh", "hiveos/h-run.sh", "hiveos/h-stats.sh", "source.sh"],
  mmpos: ["mmpos/mmp-external.conf", "mmpos/mmp-launch.sh", "mmpos/mmp-stats.sh", "source.sh"],
} as const

export interface RigPackage {
  /** The miner's name in a flight sheet, and its folder. */
  readonly name: string
  readonly system: keyof typeof SYSTEM_FILES
  readonly architecture: Architecture
}

/** mmpOS exists for x64 only. */
export const RIG_PACKAGES: readonly RigPackage[] = [
  { name: "quantus-miner-hiveos", system: "hiveos", architecture: "amd64" },
  { name: "quantus-miner-hiveos-arm64", system: "hiveos", architecture: "arm64" },
  { name: "quantus-miner-mmpos", system: "mmpos", architecture: "amd64" },
]

export interface RigInput {
  readonly root: string
  readonly version: string
  /** Of every file in the archive, in Unix seconds. */
  readonly time: number
  /** The executable for the package's architecture with glibc. */
  readonly executable: string
}

/** HiveOS takes what precedes the last hyphen for the miner's name, so the version must have no hyphen. */
export function rigArchiveName(name: string, version: string): string {
  return `${name}-${version.replaceAll("-", "_")}.tar.gz`
}

/** The archive: one folder, named as the miner is named in a flight sheet. */
export function rigArchive({ name, system }: RigPackage, { root, version, time, executable }: RigInput): Uint8Array {
  const scripts = SYSTEM_FILES[system].map((path): ArchiveEntry => {
    const text = readFileSync(join(root, "deploy/rigs", path), "utf8")
    const isSettings = path.endsWith(".conf")
    return {
      path: `${name}/${path.slice(path.lastIndexOf("/") + 1)}`,
      bytes: Buffer.from(isSettings ? fill(text, { NAME: name, VERSION: version }) : text),
      mode: isSettings ? 0o644 : 0o755,
    }
  })
  const entries: ArchiveEntry[] = [
    { path: `${name}/`, bytes: new Uint8Array(0), mode: 0o755, directory: true },
    ...scripts,
    { path: `${name}/LICENSE`, bytes: readFileSync(join(root, "LICENSE")), mode: 0o644 },
    { path: `${name}/quantus-miner`, bytes: readFileSync(executable), mode: 0o755 },
  ]
  return gzipSync(writeTar(entries, time), { level: 6 })
}
