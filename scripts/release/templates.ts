/** Descriptions of a release for package managers that download its archives: `deploy/templates` with places filled. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fill } from "./packages.ts"
import { TARGETS } from "./targets.ts"

/**
 * The filled templates by file name.
 * @param sums SHA-256 of the release's files by name
 * @param url where these files are published
 */
export function templates(
  root: string,
  { version, sums, url }: { version: string; sums: ReadonlyMap<string, string>; url: string },
): ReadonlyMap<string, string> {
  const values: Record<string, string> = { VERSION: version, URL: url }
  for (const { name, archive } of TARGETS) {
    const sum = sums.get(`quantus-miner-${version}-${name}.${archive}`)
    if (sum === undefined) throw new Error(`the release has no archive for ${name}`)
    values[`SHA256_${name.replaceAll("-", "_").toUpperCase()}`] = sum
  }
  const folder = join(root, "deploy/templates")
  return new Map(
    readdirSync(folder)
      .sort()
      .map(name => [name, fill(readFileSync(join(folder, name), "utf8"), values)]),
  )
}
