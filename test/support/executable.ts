import { statSync } from "node:fs"
import { join } from "node:path"

const ROOT = join(import.meta.dir, "../..")
const EXECUTABLE = join(ROOT, "dist/quantus-miner")

/**
 * The path of the built executable, built again where a source is newer.
 * @throws where the build fails
 */
export function builtExecutable(): string {
  if (isStale()) {
    const { success, stderr } = Bun.spawnSync([process.execPath, "scripts/build.ts", "--outfile", EXECUTABLE], {
      cwd: ROOT,
    })
    if (!success) throw new Error(stderr.toString())
  }
  return EXECUTABLE
}

function isStale(): boolean {
  const built = statSync(EXECUTABLE, { throwIfNoEntry: false })
  if (!built) return true
  const scripts = ["build.ts", "bundle.ts", "cpu-check.ts", "runtime-switches.ts"].map(name => `scripts/${name}`)
  const sources = [...scripts, "package-lock.json", ...new Bun.Glob("src/**").scanSync({ cwd: ROOT })]
  return sources.some(source => statSync(join(ROOT, source)).mtimeMs > built.mtimeMs)
}
