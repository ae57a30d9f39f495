/**
 * Writes the version of `package.json` to the files that have to name it. `npm version` runs it:
 *
 *     npm version 1.2.3 --no-git-tag-version
 */
import { join } from "node:path"
import { version } from "../package.json" with { type: "json" }

export interface Place {
  /** Relative to the project root. */
  readonly path: string
  /** Matches each version in the file, and nothing else. */
  readonly pattern: RegExp
}

export const PLACES: readonly Place[] = [
  { path: "deploy/helm/Chart.yaml", pattern: /(?<=^(?:appVersion|version): ).+$/gm },
  {
    path: "deploy/kustomize/base/quantus-miner.yaml",
    pattern: /(?<=app\.kubernetes\.io\/version: ")[^"]+|(?<=image: quantus-miner:)\S+/g,
  },
  { path: "deploy/ansible/inventory.example.yml", pattern: /(?<=quantus-miner_)[^_]+(?=_amd64\.deb)/g },
]

if (import.meta.main) {
  for (const { path, pattern } of PLACES) {
    const file = Bun.file(join(import.meta.dir, "..", path))
    await file.write((await file.text()).replace(pattern, version))
  }
}
