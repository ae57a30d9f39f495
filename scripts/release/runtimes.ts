/** Bun's runtimes for other platforms: npm packages, checked against the lock file before every use. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { readTar } from "./tar.ts"
import type { Target } from "./targets.ts"

export interface LockedPackage {
  readonly version: string
  /** `sha512-` and base64. */
  readonly integrity: string
  readonly license?: string
  readonly dev?: boolean
}

/** The packages of the lock file by name. */
export function lockedPackages(root: string): ReadonlyMap<string, LockedPackage> {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>
  }
  return new Map(
    Object.entries(packages)
      .filter(([path]) => path !== "")
      .map(([path, locked]) => [path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length), locked]),
  )
}

/**
 * The runtime of a target as an executable file in `cache`. The package is fetched by `npm pack` if absent, and what is
 * used comes from the package's checked bytes each time: a changed file in the cache cannot get into a release.
 * @throws where the package is not the one that the lock file names
 */
export function runtimeFor(target: Target, locked: LockedPackage, cache: string): string {
  mkdirSync(cache, { recursive: true })
  const packed = join(cache, `${target.runtimePackage.replace("@", "").replace("/", "-")}-${locked.version}.tgz`)
  if (!existsSync(packed)) pack(`${target.runtimePackage}@${locked.version}`, cache)
  const bytes = readFileSync(packed)
  checkIntegrity(packed, bytes, locked.integrity)
  const runtime = readTar(gunzipSync(bytes)).find(({ path }) => path === target.runtimePath)
  if (!runtime) throw new Error(`${packed} has no ${target.runtimePath}`)
  const file = join(cache, `bun-${target.name}`)
  writeFileSync(`${file}.new`, runtime.bytes, { mode: 0o755 })
  renameSync(`${file}.new`, file)
  return file
}

/** @throws where the SHA-512 of `bytes` is another than `integrity` */
export function checkIntegrity(name: string, bytes: Uint8Array, integrity: string): void {
  const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`
  if (found !== integrity) throw new Error(`${name} is not what package-lock.json names: ${found}, not ${integrity}`)
}

/** Downloads are tried several times. */
const RETRY = join(import.meta.dir, "../retry.sh")

function pack(name: string, directory: string): void {
  const { success, stderr } = Bun.spawnSync([RETRY, "npm", "pack", "--silent", "--pack-destination", directory, name])
  if (!success) throw new Error(`npm pack ${name}: ${stderr}`)
}
