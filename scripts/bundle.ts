/** The program and a runtime in one executable. */
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { addCpuCheck } from "./cpu-check.ts"
import { signAdHoc } from "./release/mach-o.ts"
import { removeRuntimeSwitches } from "./runtime-switches.ts"

const ROOT = join(import.meta.dir, "..")

/** Modules that the program starts as workers have this name. */
const WORKERS = new Bun.Glob("src/**/worker.ts")

export interface BundleOptions {
  /** Its base name becomes part of the executable's bytes. */
  readonly outfile: string
  /** Starts faster, but the bytes depend on the building machine. */
  readonly bytecode: boolean
  /** For another platform than this: Bun's name of the target, and its runtime. */
  readonly foreign?: { readonly target: string; readonly runtime: string }
  /** The checkout to bundle; this one by default. */
  readonly root?: string
}

/**
 * @returns the executable's path: `outfile`, with `.exe` for Windows; signed ad hoc for macOS, which runs no other
 * @throws AggregateError where the program does not bundle
 */
export async function bundle({ outfile, bytecode, foreign, root = ROOT }: BundleOptions): Promise<string> {
  const workers = [...WORKERS.scanSync({ cwd: root })].sort()
  // The embedded source map names files relative to the working directory.
  const absolute = resolve(outfile)
  const from = process.cwd()
  process.chdir(root)
  const built = Bun.build({
    // The first is what runs; a worker is found by its path under the root.
    entrypoints: ["src/main.ts", ...workers].map(path => join(root, path)),
    root: join(root, "src"),
    target: "bun",
    format: "esm",
    minify: { syntax: true, whitespace: true },
    splitting: true,
    bytecode,
    sourcemap: "inline",
    // Otherwise the builder's NODE_ENV becomes part of the program.
    define: { ...buildFacts(root, foreign?.target), "process.env.NODE_ENV": '"production"' },
    compile: {
      outfile: absolute,
      ...(foreign && { target: foreign.target as Bun.Build.CompileTarget, executablePath: foreign.runtime }),
      // Files in the directory that a miner is started in must not change it.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  })
  const { outputs } = await built.finally(() => process.chdir(from))
  const path = outputs[0]!.path
  removeRuntimeSwitches(path)
  if (foreign ? foreign.target.includes("linux-x64") : process.platform === "linux" && process.arch === "x64")
    addCpuCheck(path)
  const isForMacOs = foreign ? foreign.target.includes("darwin") : process.platform === "darwin"
  if (isForMacOs) writeFileSync(path, signAdHoc(readFileSync(path), basename(outfile)), { mode: 0o755 })
  return path
}

/** Values of the constants that `src/version.ts` declares. */
function buildFacts(root: string, target: string | undefined): Record<string, string> {
  const commit = commitOf(root)
  return {
    ...(commit !== undefined && { QUANTUS_MINER_COMMIT: JSON.stringify(commit) }),
    ...(target !== undefined && {
      QUANTUS_MINER_TARGET: JSON.stringify(target.replace(/^bun-/, "").replace(/-(baseline|modern)$/, "")),
    }),
  }
}

/** The commit of a checkout, marked if files differ from it; undefined without git or outside a checkout. */
function commitOf(root: string): string | undefined {
  const git = (...args: string[]) => {
    const { success, stdout } = Bun.spawnSync(["git", "-C", root, ...args])
    return success ? stdout.toString().trim() : undefined
  }
  try {
    const commit = git("rev-parse", "HEAD")
    if (commit === undefined) return
    return git("status", "--porcelain", "--untracked-files=no") === "" ? commit : `${commit}-dirty`
  } catch {
    return // git is not installed
  }
}
