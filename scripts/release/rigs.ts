/** Packages for the systems of mining rigs: the executable and the scripts by which HiveOS and mmpOS run a custom miner. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { fill } from "./packages.ts"
import { type ArchiveEntry, writeTar } from "./tar.ts"

/**
 * Each system's files in `deploy/rigs`.
 *
 * Sources: https://github.com/minershive/hiveos-linux/blob/master/hive/miners/custom/README.md,
 * https://github.com/ddobreff/mmpos/blob/main/CUSTOM_MINER.MD
 */
export const RIG_SYSTEMS = {
  hiveos: ["hiveos/h-manifest.conf", "hiveos/h-config.sh", "hiveos/h-run.sh", "hiveos/h-stats.sh", "source.sh"],
  mmpos: ["mmpos/mmp-external.conf", "mmpos/mmp-launch.sh", "mmpos/mmp-stats.sh", "source.sh"],
} as const

export type RigSystem = keyof typeof RIG_SYSTEMS

export interface RigInput {
  readonly root: string
  readonly version: string
  /** Of every file in the archive, in Unix seconds. */
  readonly time: number
  /** The executable for x64 with glibc. */
  readonly executable: string
}

/** HiveOS takes what precedes the last hyphen for the miner's name, so the version must have no hyphen. */
export function rigArchiveName(system: RigSystem, version: string): string {
  return `quantus-miner-${system}-${version.replaceAll("-", "_")}.tar.gz`
}

/** The archive: one folder, named as the miner is named in a flight sheet. */
export function rigArchive(system: RigSystem, { root, version, time, executable }: RigInput): Uint8Array {
  const folder = `quantus-miner-${system}`
  const scripts = RIG_SYSTEMS[system].map((path): ArchiveEntry => {
    const text = readFileSync(join(root, "deploy/rigs", path), "utf8")
    const isSettings = path.endsWith(".conf")
    return {
      path: `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`,
      bytes: Buffer.from(isSettings ? fill(text, { VERSION: version }) : text),
      mode: isSettings ? 0o644 : 0o755,
    }
  })
  const entries: ArchiveEntry[] = [
    { path: `${folder}/`, bytes: new Uint8Array(0), mode: 0o755, directory: true },
    ...scripts,
    { path: `${folder}/LICENSE`, bytes: readFileSync(join(root, "LICENSE")), mode: 0o644 },
    { path: `${folder}/quantus-miner`, bytes: readFileSync(executable), mode: 0o755 },
  ]
  return gzipSync(writeTar(entries, time), { level: 6 })
}
