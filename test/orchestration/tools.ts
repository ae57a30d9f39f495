/** The tools that scripts/orchestration-tools.sh installs. */
import { existsSync } from "node:fs"
import { join } from "node:path"

export const ROOT = join(import.meta.dir, "../..")
export const TOOLS = join(ROOT, "node_modules/.cache/orchestration")

export interface Output {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** What a title says if a tool is missing; empty if all are there. */
export function lacking(...names: readonly string[]): string {
  const missing = names.filter(name => !existsSync(pathOf(name)))
  return missing.length === 0 ? "" : ` (skipped: needs ${missing.join(", ")} of scripts/orchestration-tools.sh)`
}

export function pathOf(name: string): string {
  const native = join(TOOLS, "bin", name)
  return existsSync(native) ? native : join(TOOLS, "python/bin", name)
}

export function run(name: string, args: readonly string[], options: { cwd?: string; stdin?: string } = {}): Output {
  const path = pathOf(name)
  const command = path.includes("/python/bin/") ? ["python3", path, ...args] : [path, ...args]
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    cwd: options.cwd ?? ROOT,
    ...(options.stdin === undefined ? {} : { stdin: Buffer.from(options.stdin) }),
    env: { ...process.env, PYTHONPATH: join(TOOLS, "python") },
  })
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
}
