/** The program and a runtime in one executable. */
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
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
  const { outputs } = await Bun.build({
    // The first is what runs; a worker is found by its path under the root.
    entrypoints: ["src/main.ts", ...workers].map(path => join(root, path)),
    root: join(root, "src"),
    target: "bun",
    format: "esm",
    minify: { syntax: true, whitespace: true },
    splitting: true,
    bytecode,
    sourcemap: "inline",
    compile: {
      outfile,
      ...(foreign && { target: foreign.target as Bun.Build.CompileTarget, executablePath: foreign.runtime }),
      // Files in the directory that a miner is started in must not change it.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  })
  const path = outputs[0]!.path
  removeRuntimeSwitches(path)
  const isForMacOs = foreign ? foreign.target.includes("darwin") : process.platform === "darwin"
  if (isForMacOs) writeFileSync(path, signAdHoc(readFileSync(path), basename(outfile)), { mode: 0o755 })
  return path
}
