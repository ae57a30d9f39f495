/** The program and a runtime in one executable. */
import { join } from "node:path"

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
 * @returns the executable's path: `outfile`, with `.exe` for Windows
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
  return outputs[0]!.path
}
